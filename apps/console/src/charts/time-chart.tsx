import { useElementSize } from '@mantine/hooks'
import { bisector, max } from 'd3-array'
import { scaleLinear, scaleUtc } from 'd3-scale'
import { area, line, stack, type SeriesPoint } from 'd3-shape'
import { useMemo, useState, type PointerEvent } from 'react'
import { formatTick, formatTime } from '../format/times.ts'
import { useZone } from '../format/zone.tsx'
import { BottomAxis, secondsBetween, ValueAxis } from './axes.tsx'
import { ChartFrame } from './chart-frame.tsx'
import { Drawing } from './drawing.tsx'
import { useReading } from './use-reading.ts'
import classes from './chart.module.css'

/** One line, or layer, of a chart over time. */
export interface TimeSeries {
  readonly name: string
  /** One value for each time; null where nothing is known, which is drawn as a gap. */
  readonly values: readonly (number | null)[]
  /** A CSS colour; by default the next of the palette. */
  readonly color?: string
  /** Values from few samples, which are drawn faintly: for each time, whether they are few. */
  readonly isFaint?: readonly boolean[]
}

/** Something that happened, such as a new model. */
export interface TimeMark {
  readonly at: string
  readonly label: string
}

interface TimeChartProps {
  readonly title: string
  readonly summary: string
  /** Starts of the points, ascending. */
  readonly times: readonly string[]
  readonly stepSeconds: number
  readonly series: readonly TimeSeries[]
  /** Layers on each other instead of lines. */
  readonly isStacked?: boolean
  readonly format: (value: number) => string
  /** Start of the points that are not complete yet. */
  readonly partialFrom?: string | null
  readonly marks?: readonly TimeMark[]
  /** Called with a part of the time that was marked by dragging. */
  readonly onZoom?: (from: Date, to: Date) => void
  readonly height?: number
}

const margin = { top: 8, right: 12, bottom: 22, left: 66 }
const byTime = bisector((time: Date) => time)
const colorOf = (index: number): string => `var(--mg-series-${(index % 6) + 1})`

/** Parts of a line without gaps, by whether they are faint. */
const strokesOf = (values: TimeSeries['values'], isFaint: readonly boolean[] = []) =>
  [false, true].map((faint) => ({
    faint,
    values: values.map((value, index) => {
      // A part reaches to its neighbour, so that the two kinds of line meet.
      const belongs = (isFaint[index] ?? false) === faint || (!faint && !(isFaint[index - 1] ?? true))
      return belongs ? value : null
    }),
  }))

/** Lines or layers over time, with gaps where nothing is known and a shade where the last points are not complete. */
export const TimeChart = ({
  title,
  summary,
  times,
  stepSeconds,
  series,
  isStacked = false,
  format,
  partialFrom,
  marks = [],
  onZoom,
  height = 200,
}: TimeChartProps) => {
  const { ref, width } = useElementSize()
  const { zone } = useZone()
  const { at: shown, setAt, keys } = useReading(times.length)
  const [dragFrom, setDragFrom] = useState<number>()
  const dates = useMemo(() => times.map((time) => new Date(time)), [times])
  const end = (dates.at(-1)?.getTime() ?? 0) + stepSeconds * 1000
  const x = scaleUtc(
    [dates[0] ?? new Date(0), new Date(end)],
    [margin.left, Math.max(width - margin.right, margin.left + 1)],
  )
  const middle = (index: number): number => x((dates[index]?.getTime() ?? 0) + stepSeconds * 500)

  const layers = isStacked
    ? stack<number>()
        .keys(series.map(({ name }) => name))
        .value((index, name) => series.find((each) => each.name === name)?.values[index] ?? 0)(
        times.map((_, index) => index),
      )
    : []
  const top = isStacked
    ? max(layers.at(-1) ?? [], (point) => point[1])
    : max(series, ({ values }) => max(values, (value) => value ?? 0))
  const y = scaleLinear([0, top || 1], [height - margin.bottom, margin.top]).nice(4)

  const color = (index: number): string => series[index]?.color ?? colorOf(index)
  const point = (event: PointerEvent<SVGSVGElement>): number => {
    const left = event.clientX - event.currentTarget.getBoundingClientRect().left
    return byTime.center(dates, new Date(x.invert(left).getTime() - stepSeconds * 500))
  }
  const release = (event: PointerEvent<SVGSVGElement>) => {
    const to = point(event)
    const [first, last] = [Math.min(dragFrom ?? to, to), Math.max(dragFrom ?? to, to)]
    setDragFrom(undefined)
    const [from, until] = [dates[first], dates[last]]
    if (onZoom && from && until && last - first >= 2) onZoom(from, new Date(until.getTime() + stepSeconds * 1000))
  }

  const valueAt = (values: TimeSeries['values'], index: number): string => {
    const value = values[index]
    return value === null || value === undefined ? 'nothing known' : format(value)
  }
  const timeOf = (index: number): string => formatTime(dates[index] ?? 0, zone)
  const ticks = x.ticks(Math.max(2, Math.floor(width / 110)))
  const table = {
    head: ['Time', ...series.map(({ name }) => name)],
    rows: times.map((_, index) => [timeOf(index), ...series.map(({ values }) => valueAt(values, index))]),
  }
  const partialX = partialFrom ? Math.max(x(new Date(partialFrom)), margin.left) : undefined

  return (
    <ChartFrame title={title} summary={summary} table={table}>
      <div className={classes.legend}>
        {series.map(({ name, values }, index) => (
          <span key={name} className={classes.key}>
            <span className={classes.swatch} style={{ background: color(index) }} />
            {name}
            <b>{valueAt(values, shown ?? values.findLastIndex((value) => value !== null))}</b>
          </span>
        ))}
        <span className={classes.when} aria-live="polite">
          {shown === undefined ? 'last known' : timeOf(shown)}
        </span>
      </div>
      <Drawing
        frame={ref}
        width={width}
        height={height}
        label={`${title}. ${summary} The arrow keys read single points.`}
        {...keys}
        onPointerMove={(event) => setAt(point(event))}
        onPointerLeave={() => setAt(undefined)}
        onPointerDown={onZoom && ((event) => setDragFrom(point(event)))}
        onPointerUp={onZoom && release}
      >
        <ValueAxis scale={y} left={margin.left} right={width - margin.right} format={format} />
        <BottomAxis
          scale={x}
          ticks={ticks}
          y={height - 5}
          format={(tick) => formatTick(tick, secondsBetween(ticks, stepSeconds), zone)}
        />
        {partialX !== undefined && partialX < width - margin.right && (
          <rect
            className={classes.partial}
            x={partialX}
            y={margin.top}
            width={width - margin.right - partialX}
            height={height - margin.top - margin.bottom}
          >
            <title>Not complete yet</title>
          </rect>
        )}
        {isStacked &&
          layers.map((layer, index) => (
            <path
              key={layer.key}
              d={
                area<SeriesPoint<number>>()
                  .defined((_, at) => series[index]?.values[at] !== null)
                  .x((_, at) => middle(at))
                  .y0(([low]) => y(low))
                  .y1(([, high]) => y(high))(layer) ?? ''
              }
              fill={color(index)}
              fillOpacity={0.75}
            />
          ))}
        {!isStacked &&
          series.flatMap(({ name, values, isFaint }, index) =>
            strokesOf(values, isFaint).map(({ faint, values: part }) => (
              <path
                key={name + String(faint)}
                className={classes.line}
                d={
                  line<number | null>()
                    .defined((value) => value !== null)
                    .x((_, at) => middle(at))
                    .y((value) => y(value ?? 0))(part) ?? ''
                }
                stroke={color(index)}
                opacity={faint ? 0.35 : 1}
              />
            )),
          )}
        {!isStacked &&
          series.flatMap(({ name, values }, index) =>
            values.map((value, at) =>
              // A point without neighbours has no line.
              value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? (
                <circle key={name + String(at)} cx={middle(at)} cy={y(value)} r={2} fill={color(index)} />
              ) : undefined,
            ),
          )}
        {marks
          .filter((mark) => new Date(mark.at).getTime() <= end && new Date(mark.at) >= (dates[0] ?? 0))
          .map((mark) => (
            <g key={mark.at + mark.label} className={classes.mark}>
              <line x1={x(new Date(mark.at))} x2={x(new Date(mark.at))} y1={margin.top} y2={height - margin.bottom} />
              <text x={x(new Date(mark.at)) + 4} y={margin.top + 10}>
                {mark.label}
              </text>
            </g>
          ))}
        {dragFrom !== undefined && shown !== undefined && (
          <rect
            className={classes.drag}
            x={Math.min(middle(dragFrom), middle(shown))}
            y={margin.top}
            width={Math.abs(middle(shown) - middle(dragFrom))}
            height={height - margin.top - margin.bottom}
          />
        )}
        {shown !== undefined && (
          <line
            className={classes.cursor}
            x1={middle(shown)}
            x2={middle(shown)}
            y1={margin.top}
            y2={height - margin.bottom}
          />
        )}
      </Drawing>
    </ChartFrame>
  )
}
