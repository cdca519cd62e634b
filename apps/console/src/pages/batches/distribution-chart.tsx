import { useElementSize } from '@mantine/hooks'
import { scaleLinear } from 'd3-scale'
import { BottomAxis, ValueAxis } from '../../charts/axes.tsx'
import { ChartFrame } from '../../charts/chart-frame.tsx'
import { Drawing } from '../../charts/drawing.tsx'
import { formatCount, formatNumber, formatPercent } from '../../format/numbers.ts'
import classes from './batches.module.css'
import { plainWords } from '../../format/words.ts'
import type { Bars } from './distribution.ts'

const margin = { top: 8, right: 24, bottom: 40, left: 58 }
const height = 240

/** Categories have an order: one colour from light to dark, for a colour each would say more than they do. */
const colorOf = (index: number, count: number): string =>
  `color-mix(in srgb, var(--mg-series-1) ${Math.round(35 + (65 * (index + 1)) / count)}%, var(--mg-surface))`
const percent = (part: number): string => `${formatNumber(Math.round(part * 1000) / 10)} %`

interface DistributionChartProps {
  readonly bars: Bars
  readonly summary: string
}

/** How many rows have which risk: bars by risk, stacked by category. */
export const DistributionChart = ({ bars: { width: barWidth, series }, summary }: DistributionChartProps) => {
  const { ref, width } = useElementSize()
  const length = series[0]?.bars.length ?? 0
  const totals = Array.from({ length }, (_, bar) => series.reduce((sum, { bars }) => sum + (bars[bar] ?? 0), 0))
  const all = totals.reduce((sum, count) => sum + count, 0)
  const x = scaleLinear([0, length * barWidth], [margin.left, Math.max(width - margin.right, margin.left + 1)])
  const y = scaleLinear([0, Math.max(...totals, 1)], [height - margin.bottom, margin.top]).nice(4)
  const rangeOf = (bar: number): string => `${percent(bar * barWidth)} to ${percent((bar + 1) * barWidth)}`
  const table = {
    head: ['Risk', ...series.map(({ category }) => plainWords(category))],
    rows: totals.map((_, bar) => [rangeOf(bar), ...series.map(({ bars }) => formatCount(bars[bar] ?? 0))]),
  }
  const below = (index: number, bar: number): number =>
    series.slice(0, index).reduce((sum, { bars }) => sum + (bars[bar] ?? 0), 0)
  return (
    <ChartFrame title="Risks by category" summary={summary} table={table}>
      <div className={classes.legend}>
        {series.map(({ category, rows }, index) => (
          <span key={category} className={classes.key}>
            <span className={classes.swatch} style={{ background: colorOf(index, series.length) }} />
            {plainWords(category)} <b>{formatCount(rows)}</b> ({formatPercent(all === 0 ? 0 : rows / all)})
          </span>
        ))}
      </div>
      <Drawing frame={ref} width={width} height={height} label={`Risks by category. ${summary}`}>
        <ValueAxis
          scale={y}
          left={margin.left}
          right={width - margin.right}
          ticks={y.ticks(4).filter(Number.isInteger)}
          format={formatCount}
        />
        <BottomAxis
          scale={x}
          ticks={x.ticks(Math.max(2, Math.floor(width / 90)))}
          y={height - margin.bottom + 16}
          format={percent}
        />
        <text className={classes.axis} x={(margin.left + width) / 2} y={height - 4} textAnchor="middle">
          Risk, against rows (upwards)
        </text>
        {series.map(({ category, bars }, index) =>
          bars.map((count, bar) =>
            count === 0 ? undefined : (
              <rect
                key={`${category} ${bar}`}
                x={x(bar * barWidth) + 1}
                width={Math.max(x(barWidth) - x(0) - 2, 1)}
                y={y(below(index, bar) + count)}
                height={y(below(index, bar)) - y(below(index, bar) + count)}
                fill={colorOf(index, series.length)}
              >
                <title>{`${rangeOf(bar)}, ${plainWords(category)}: ${formatCount(count)}`}</title>
              </rect>
            ),
          ),
        )}
      </Drawing>
    </ChartFrame>
  )
}
