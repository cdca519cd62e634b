import type { ReactNode } from 'react'
import classes from './empty.module.css'

interface EmptyProps {
  readonly title: string
  readonly children?: ReactNode
  readonly action?: ReactNode
}

/** Where there is nothing: why, and what comes next. */
export const Empty = ({ title, children, action }: EmptyProps) => (
  <div className={classes.empty}>
    <div className={classes.title}>{title}</div>
    {children !== undefined && <div className={classes.text}>{children}</div>}
    {action}
  </div>
)
