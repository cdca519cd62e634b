import { useElementSize } from '@mantine/hooks'
import { scaleLinear, scaleUtc } from 'd3-scale'
import { area, line } from 'd3-shape'
import { BottomAxis, secondsBetween } from '../../../charts/axes.tsx'
import { ChartFrame } from '../../../charts/chart-frame.tsx'
import { Drawing } from '../../../charts/drawing.tsx'
import type { ChartTable } from '../../../charts/save.ts'
import chart from '../../../charts/chart.module.css'
import { useReading } from '../../../charts/use-reading.ts'
import { formatDay, formatTick, type Zone } from '../../../format/times.ts'
import { useZone } from '../../../format/zone.tsx'
import { useClock } from '../../../ui/clock.ts'
import { bandWords, formatScore, peopleWords, type Forecast, type ForecastPoint } from './forecast-words.ts'
import classes from './chart.module.css'

interface FanChartProps {
  readonly title: string
  readonly summary: string
  readonly basis: Forecast['basis']
  /** Measured scores, oldest first. */
  readonly history: NonNullable<Forecast['history']>
  /** Soonest first. */
  readonly points: readonly ForecastPoint[]
}

const height = 340
const top = 16
const bottom = 26
const left = 34
/** Highest score of the MMSE, and the score below which it is commonly taken for impaired. */
const highest = 30
const threshold = 24

const rangeOf = (low: number, high: number): string => `${formatScore(low)} to ${formatScore(high)}`

/** What each point of the chart says, in the order of time. */
const readingsOf = ({ history, points }: Pick<FanChartProps, 'history' | 'points'>) => [
  ...history.map(({ at, value }) => ({ at, words: `measured ${formatScore(value)}` })),
  ...points.map(({ at, median, ...point }) => ({
    at,
    words:
      `expected ${formatScore(median)}; ${bandWords.inner}: ${rangeOf(point.lower_80, point.upper_80)}; ` +
      `${bandWords.outer}: ${rangeOf(point.lower_95, point.upper_95)}`,
  })),
]

const tableOf = ({ history, points }: Pick<FanChartProps, 'history' | 'points'>, zone: Zone): ChartTable => ({
  head: ['Day', 'Score', bandWords.inner, bandWords.outer, 'Below 24'],
  rows: [
    ...history.map(({ at, value }) => [formatDay(at, zone), formatScore(value), 'measured', 'measured', '-']),
    ...points.map((point) => [
      formatDay(point.at, zone),
      `expected ${formatScore(point.median)}`,
      rangeOf(point.lower_80, point.upper_80),
      rangeOf(point.lower_95, point.upper_95),
      `${Math.round(point.probability_below_24 * 100)} of 100`,
    ]),
  ],
})

/** Measured scores, and those to be expected, on the whole scale of the test. */
export const FanChart = (props: FanChartProps) => {
  const { title, summary, basis } = props
  const { ref, width } = useElementSize()
  const { zone } = useZone()
  const readings = readingsOf(props)
  const { at, setAt, keys } = useReading(readings.length)
  const shown = at === undefined ? undefined : readings[at]
  const place = usePlaces(readings, width)
  return (
    <ChartFrame title={title} summary={summary} table={tableOf(props, zone)}>
      <div className={chart.legend} aria-live="polite">
        {shown ? `${formatDay(shown.at, zone)}: ${shown.words}` : 'Points are measured, the dashed line is expected.'}
      </div>
      <Drawing
        frame={ref}
        width={width}
        height={height}
        label={`${title}. ${summary} The arrow keys read single points.`}
        {...keys}
        onPointerMove={(event) => {
          const pointer = event.clientX - event.currentTarget.getBoundingClientRect().left
          setAt(nearest(readings.map(place.xOf), pointer))
        }}
        onPointerLeave={() => setAt(undefined)}
      >
        <Axes place={place} zone={zone} />
        <Fan {...props} place={place} />
        {shown && (
          <line className={classes.read} x1={place.xOf(shown)} x2={place.xOf(shown)} y1={top} y2={height - bottom} />
        )}
      </Drawing>
      <ul className={classes.key}>
        <li>
          <i className={classes.keyInner} /> darker: {bandWords.inner} {peopleWords(basis)}
        </li>
        <li>
          <i className={classes.keyOuter} /> lighter: {bandWords.outer} of them
        </li>
      </ul>
    </ChartFrame>
  )
}

/** Where times and scores stand in the drawing. */
const usePlaces = (readings: readonly { readonly at: string }[], width: number) => {
  const now = useClock(false)
  const times = [...readings.map(({ at }) => new Date(at).getTime()), now]
  // The words of the bands stand at the right of them where there is room.
  const isWide = width >= 620
  const right = Math.max(width - (isWide ? 176 : 14), left + 1)
  const x = scaleUtc([new Date(Math.min(...times)), new Date(Math.max(...times))], [left + 8, right])
  const y = scaleLinear([0, highest], [height - bottom, top])
  const xOf = (point: { readonly at: string }): number => x(new Date(point.at))
  return { x, y, xOf, now: x(now), right, isWide, ticks: x.ticks(Math.max(2, Math.floor(width / 120))) }
}

type Places = ReturnType<typeof usePlaces>

const Axes = ({ place: { x, y, right, ticks }, zone }: { readonly place: Places; readonly zone: Zone }) => {
  return (
    <>
      {[0, 6, 12, 18, 24, 30].map((tick) => (
        <g key={tick}>
          <line
            className={tick === threshold ? classes.threshold : chart.grid}
            x1={left}
            x2={right}
            y1={y(tick)}
            y2={y(tick)}
          />
          <text className={chart.tick} x={left - 8} y={y(tick) + 4} textAnchor="end">
            {tick}
          </text>
        </g>
      ))}
      <text className={chart.tick} x={left + 4} y={y(threshold) + 14}>
        24: below, commonly taken for impaired
      </text>
      <BottomAxis
        scale={x}
        ticks={ticks}
        y={height - 6}
        format={(tick) => formatFanTick(tick, secondsBetween(ticks, 86_400), zone)}
      />
    </>
  )
}

const Fan = ({ history, points, basis, place }: FanChartProps & { readonly place: Places }) => {
  const { y, xOf, now, right, isWide } = place
  const band = (lower: (point: ForecastPoint) => number, upper: (point: ForecastPoint) => number): string =>
    area<ForecastPoint>(
      xOf,
      (point) => y(lower(point)),
      (point) => y(upper(point)),
    )(points) ?? ''
  const last = points.at(-1)
  return (
    <>
      <path
        className={classes.band95}
        d={band(
          (point) => point.lower_95,
          (point) => point.upper_95,
        )}
      />
      <path
        className={classes.band80}
        d={band(
          (point) => point.lower_80,
          (point) => point.upper_80,
        )}
      />
      <path className={classes.median} d={line<ForecastPoint>(xOf, (point) => y(point.median))(points) ?? ''} />
      <path
        className={classes.history}
        d={line<(typeof history)[number]>(xOf, ({ value }) => y(value))(history) ?? ''}
      />
      {history.map((point) => (
        <circle key={point.at} className={classes.point} cx={xOf(point)} cy={y(point.value)} r={4.5} />
      ))}
      <line className={classes.now} x1={now} x2={now} y1={top} y2={height - bottom} />
      <text className={classes.label} x={now - 5} y={height - bottom - 8} textAnchor="end">
        today
      </text>
      {isWide &&
        last &&
        labelsOf(last, basis).map(({ text, value }) => (
          <text key={text} className={classes.label} x={right + 8} y={y(value) + 4}>
            {text}
          </text>
        ))}
    </>
  )
}

/** Years are named where marks are months apart. */
const formatFanTick = (tick: Date, stepSeconds: number, zone: Zone): string =>
  stepSeconds >= 86_400 * 25 ? formatDay(tick, zone).replace(/^\d+ /, '') : formatTick(tick, stepSeconds, zone)

const nearest = (places: readonly number[], pointer: number): number | undefined => {
  const distances = places.map((place) => Math.abs(place - pointer))
  return distances.length === 0 ? undefined : distances.indexOf(Math.min(...distances))
}

/** Room between two lines of text, in points of the test. */
const lineRoom = 1.7

/** Words beside the end of the bands, moved apart where they would stand on each other. */
const labelsOf = (last: ForecastPoint, basis: Forecast['basis']) => {
  const wanted = [
    { text: `to ${formatScore(last.upper_95)}: ${bandWords.outer}`, value: last.upper_95 },
    { text: `to ${formatScore(last.upper_80)}: ${bandWords.inner}`, value: last.upper_80 },
    {
      text: `${formatScore(last.median)}: the middle of ${basis === 'population' ? 'all' : 'these'}`,
      value: last.median,
    },
    { text: `from ${formatScore(last.lower_80)}: ${bandWords.inner}`, value: last.lower_80 },
    { text: `from ${formatScore(last.lower_95)}: ${bandWords.outer}`, value: last.lower_95 },
  ]
  let above = highest + lineRoom
  const placed = wanted.map((label) => {
    above = Math.min(label.value, above - lineRoom)
    return { ...label, value: above }
  })
  const below = Math.max(0, -(placed.at(-1)?.value ?? 0))
  return placed.map((label) => ({ ...label, value: label.value + below }))
}
