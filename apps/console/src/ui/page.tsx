import { useEffect, type ReactNode } from 'react'
import classes from './page.module.css'

interface PageProps {
  readonly title: string
  /** Beside the title, such as a state. */
  readonly badge?: ReactNode
  readonly lead?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
  /** Text as wide as it is well read, for forms and results. */
  readonly isNarrow?: boolean
}

/** A screen: its heading, what can be done on it, and its panels. */
export const Page = ({ title, badge, lead, actions, children, isNarrow = false }: PageProps) => {
  useEffect(() => {
    document.title = `${title} - MemoryGuard`
  }, [title])
  return (
    <div className={classes.page} data-narrow={isNarrow}>
      <header className={classes.header}>
        <div className={classes.heading}>
          <div className={classes.titleLine}>
            <h1 className={classes.title}>{title}</h1>
            {badge}
          </div>
          {lead !== undefined && <p className={classes.lead}>{lead}</p>}
        </div>
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}

interface PanelProps {
  readonly title?: ReactNode
  readonly hint?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
  /** Whether the content reaches the edges, as tables do. */
  readonly isFlush?: boolean
}

/** A part of a screen, on a surface of its own. */
export const Panel = ({ title, hint, actions, children, isFlush = false }: PanelProps) => (
  <section className={classes.panel} data-flush={isFlush}>
    {(title !== undefined || actions !== undefined) && (
      <div className={classes.panelHeader}>
        <div>
          {title !== undefined && <h2 className={classes.panelTitle}>{title}</h2>}
          {hint !== undefined && <p className={classes.hint}>{hint}</p>}
        </div>
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </div>
    )}
    <div className={classes.panelBody}>{children}</div>
  </section>
)

/** Panels beside each other where there is room. */
export const Columns = ({ children, min = 320 }: { readonly children: ReactNode; readonly min?: number }) => (
  <div
    className={classes.columns}
    style={{ gridTemplateColumns: `repeat(auto-fit, minmax(min(${min}px, 100%), 1fr))` }}
  >
    {children}
  </div>
)
