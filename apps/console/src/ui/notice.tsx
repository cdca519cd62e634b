import type { ReactNode } from 'react'
import { StatusIcon, type Tone } from './status.tsx'
import classes from './notice.module.css'

interface NoticeProps {
  readonly kind: Tone
  readonly title?: ReactNode
  readonly children?: ReactNode
  /** What can be done about it. */
  readonly action?: ReactNode
}

/** A sentence that must be seen, with a shape and a colour for how bad it is. */
export const Notice = ({ kind, title, children, action }: NoticeProps) => (
  <div className={classes.notice} data-tone={kind} role={kind === 'bad' ? 'alert' : 'status'}>
    <StatusIcon tone={kind} />
    <div className={classes.body}>
      {title !== undefined && <div className={classes.title}>{title}</div>}
      {children}
    </div>
    {action !== undefined && <div className={classes.action}>{action}</div>}
  </div>
)
