import { StatusIcon } from '../../ui/status.tsx'
import type { Check, CheckedColumn } from './check-sample.ts'
import type { Sample } from './parse-sample.ts'
import classes from './batches.module.css'

const wordsOf = ({ use, input }: CheckedColumn): string => {
  if (input) return input.words ? input.title : `${input.title}, ${input.unit}`
  return {
    person: 'whom the row is about',
    input: '',
    'not used': 'not used by the model',
    'row names': 'row names, ignored',
    unknown: 'not known',
    twice: 'stands here twice',
  }[use]
}

interface PreviewTableProps {
  readonly sample: Sample
  readonly check: Check
}

/** The first rows of a file, with what becomes of each column and which values are invalid. */
export const PreviewTable = ({ sample, check }: PreviewTableProps) => (
  <div className={classes.scroll} tabIndex={0} role="region" aria-label="First rows of the file">
    <table className={classes.preview}>
      <caption className="mg-hidden">First rows of the file</caption>
      <thead>
        <tr>
          <th scope="col">Line</th>
          {check.columns.map((column, index) => (
            <th key={index} scope="col" data-use={column.use} title={column.name}>
              {column.name || '(no name)'}
              <span className={classes.use}>{wordsOf(column)}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {sample.rows.map((row, at) => (
          <tr key={row.line}>
            <td>{row.line}</td>
            {check.columns.map((_, index) => {
              const fault = check.cells.get(`${at} ${index}`)
              const cell = row.cells[index] ?? ''
              return (
                <td key={index} className={fault && classes.misfit} title={fault ?? cell}>
                  {fault !== undefined && <StatusIcon tone="warn" size={13} />}
                  {cell === '' ? <span aria-label="nothing">-</span> : cell}
                  {fault !== undefined && <span className="mg-hidden"> {fault}</span>}
                </td>
              )
            })}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
