import type { ReactNode } from 'react'
import { Empty } from './empty.tsx'
import { Failure } from './failure.tsx'
import { Loading } from './loading.tsx'
import classes from './table.module.css'

/** A column of a table. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ReactNode
  /** Numbers stand at the right, with digits of one width. */
  readonly isNumber?: boolean
  /** Takes the room that is left; long text is cut to one line. */
  readonly isWide?: boolean
  /** Left out where the window is narrow. */
  readonly isMinor?: boolean
}

interface TableProps<Row> {
  /** What the table lists, for those who do not see it. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[] | undefined
  readonly keyOf: (row: Row) => string
  readonly error?: unknown
  readonly onRetry?: () => void
  /** Shown where there are no rows. */
  readonly empty?: ReactNode
  readonly footer?: ReactNode
}

/** Rows of one kind. A row keeps its place while its values change. */
export const Table = <Row,>({ caption, columns, rows, keyOf, error, onRetry, empty, footer }: TableProps<Row>) => {
  if (error !== undefined && error !== null && rows === undefined)
    return <Failure error={error} {...(onRetry && { onRetry })} />
  if (rows === undefined) return <Loading lines={5} />
  if (rows.length === 0) return <>{empty ?? <Empty title="Nothing here yet" />}</>
  const classOf = ({ isNumber, isWide, isMinor }: Column<Row>) =>
    [isNumber && classes.number, isWide && classes.wide, isMinor && classes.minor].filter(Boolean).join(' ') ||
    undefined
  return (
    <>
      <div className={classes.scroll} tabIndex={0} role="region" aria-label={caption}>
        <table className={classes.table}>
          <caption className="mg-hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.title} scope="col" className={classOf(column)}>
                  {column.title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column) => (
                  <td key={column.title} className={classOf(column)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {footer}
    </>
  )
}
