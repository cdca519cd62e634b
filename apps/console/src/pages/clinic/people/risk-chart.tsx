import { useElementSize } from '@mantine/hooks'
import { extent } from 'd3-array'
import { scaleLinear, scaleUtc } from 'd3-scale'
import { BottomAxis, secondsBetween, ValueAxis } from '../../../charts/axes.tsx'
import { ChartFrame } from '../../../charts/chart-frame.tsx'
import { Drawing } from '../../../charts/drawing.tsx'
import chart from '../../../charts/chart.module.css'
import { useReading } from '../../../charts/use-reading.ts'
import { formatTick, formatTime } from '../../../format/times.ts'
import { useZone } from '../../../format/zone.tsx'
import { formatRisk } from '../risk-words.ts'
import classes from './chart.module.css'

/** A risk that was predicted once. */
export interface RiskPoint {
  readonly at: string
  readonly risk: number
  readonly interval: { readonly lower: number; readonly upper: number } | null
}

interface RiskChartProps {
  readonly title: string
  /** Oldest first. */
  readonly points: readonly RiskPoint[]
}

const height = 220
const margin = { top: 10, right: 20, bottom: 24, left: 52 }

const wordsOf = ({ risk, interval }: RiskPoint): string =>
  interval ? `${formatRisk(risk)}, ${formatRisk(interval.lower)} to ${formatRisk(interval.upper)}` : formatRisk(risk)

/** Predictions of one model over time, each a point with its interval, on the whole scale of 0 to 100 %. */
export const RiskChart = ({ title, points }: RiskChartProps) => {
  const { ref, width } = useElementSize()
  const { zone } = useZone()
  const { at, setAt, keys } = useReading(points.length)
  const dates = points.map((point) => new Date(point.at))
  const [first = new Date(0), last = first] = extent(dates)
  const spread = Math.max(last.getTime() - first.getTime(), 3_600_000)
  const x = scaleUtc(
    [new Date(first.getTime() - spread * 0.05), new Date(last.getTime() + spread * 0.05)],
    [margin.left, Math.max(width - margin.right, margin.left + 1)],
  )
  const y = scaleLinear([0, 1], [height - margin.bottom, margin.top])
  const newest = points.at(-1)
  const shown = at === undefined ? newest : points[at]
  const ticks = x.ticks(Math.max(2, Math.floor(width / 130)))
  const summary = `${points.length === 1 ? 'One prediction' : `${points.length} predictions`}; the newest says ${newest ? wordsOf(newest) : '-'}. Lines are the intervals.`
  return (
    <ChartFrame
      title={title}
      summary={summary}
      table={{
        head: ['Time', 'Risk', 'Interval from', 'to'],
        rows: points.map(({ at: time, risk, interval }) => [
          formatTime(time, zone),
          formatRisk(risk),
          interval ? formatRisk(interval.lower) : '-',
          interval ? formatRisk(interval.upper) : '-',
        ]),
      }}
    >
      <div className={chart.legend}>
        <span aria-live="polite">{shown && `${formatTime(shown.at, zone)}: ${wordsOf(shown)}`}</span>
      </div>
      <Drawing
        frame={ref}
        width={width}
        height={height}
        label={`${title}. ${summary} The arrow keys read single points.`}
        {...keys}
      >
        <ValueAxis
          scale={y}
          left={margin.left}
          right={width - margin.right}
          format={(risk) => `${Math.round(risk * 100)} %`}
        />
        <BottomAxis
          scale={x}
          ticks={ticks}
          y={height - 5}
          format={(tick) => formatTick(tick, secondsBetween(ticks, 86_400), zone)}
        />
        {points.map((point, index) => (
          <g key={point.at + String(index)} onPointerEnter={() => setAt(index)} onPointerLeave={() => setAt(undefined)}>
            {point.interval && (
              <line
                className={classes.whisker}
                x1={x(new Date(point.at))}
                x2={x(new Date(point.at))}
                y1={y(point.interval.lower)}
                y2={y(point.interval.upper)}
              />
            )}
            <circle
              className={classes.point}
              data-read={index === at}
              cx={x(new Date(point.at))}
              cy={y(point.risk)}
              r={index === at ? 7 : 4.5}
            />
          </g>
        ))}
      </Drawing>
    </ChartFrame>
  )
}
