import { Fragment, type ReactNode } from 'react'
import classes from './facts.module.css'

export type Fact = readonly [name: string, value: ReactNode]

/** Names and values of one thing. Values that are undefined are left out. */
export const Facts = ({ of }: { readonly of: readonly Fact[] }) => (
  <dl className={classes.facts}>
    {of.map(([name, value]) =>
      value === undefined ? undefined : (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value ?? '-'}</dd>
        </Fragment>
      ),
    )}
  </dl>
)

interface StatProps {
  readonly label: string
  readonly value: ReactNode
  readonly note?: ReactNode
}

/** One number that is looked at from afar. */
export const Stat = ({ label, value, note }: StatProps) => (
  <div className={classes.stat}>
    <div className={classes.label}>{label}</div>
    <div className={classes.value}>{value}</div>
    {note !== undefined && <div className={classes.note}>{note}</div>}
  </div>
)

/** Numbers beside each other. */
export const Stats = ({ children }: { readonly children: ReactNode }) => <div className={classes.stats}>{children}</div>
