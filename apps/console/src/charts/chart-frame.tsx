import { Button, Menu } from '@mantine/core'
import { useRef, type ReactNode } from 'react'
import { Icon } from '../ui/icon.tsx'
import { saveCsv, savePng, type ChartTable } from './save.ts'
import classes from './chart.module.css'

interface ChartFrameProps {
  readonly title: string
  /** What the chart shows, in one sentence, for those who do not see it and those who have no time. */
  readonly summary: string
  readonly table: ChartTable
  readonly children: ReactNode
}

/** A chart with its sentence, its numbers as a table, and both to save. */
export const ChartFrame = ({ title, summary, table, children }: ChartFrameProps) => {
  const drawing = useRef<HTMLDivElement>(null)
  const fileName = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <div>
          <h3 className={classes.title}>{title}</h3>
          <p className={classes.summary}>{summary}</p>
        </div>
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <Button variant="subtle" size="compact-xs" className="mg-screen-only" aria-label={`Save ${title}`}>
              <Icon name="download" size={15} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => saveCsv(`${fileName}.csv`, table)}>Save as CSV</Menu.Item>
            <Menu.Item onClick={() => void savePng(`${fileName}.png`, drawing.current)}>Save as PNG</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </figcaption>
      <div ref={drawing}>{children}</div>
      <details className={`${classes.details} mg-screen-only`}>
        <summary>Numbers</summary>
        <div className={classes.scroll} tabIndex={0} role="region" aria-label={`Numbers of ${title}`}>
          <table>
            <thead>
              <tr>
                {table.head.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {table.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={table.head[column]}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  )
}
