import type { ScaleLinear } from 'd3-scale'
import classes from './chart.module.css'

interface ValueAxisProps {
  readonly scale: ScaleLinear<number, number>
  /** Where the lines begin and end, in pixels. */
  readonly left: number
  readonly right: number
  readonly format: (value: number) => string
  /** Default: about four round values. */
  readonly ticks?: readonly number[]
}

/** A line across the chart for each marked value, with the value at its left. */
export const ValueAxis = ({ scale, left, right, format, ticks = scale.ticks(4) }: ValueAxisProps) =>
  ticks.map((tick) => (
    <g key={tick}>
      <line className={classes.grid} x1={left} x2={right} y1={scale(tick)} y2={scale(tick)} />
      <text className={classes.tick} x={left - 8} y={scale(tick) + 4} textAnchor="end">
        {format(tick)}
      </text>
    </g>
  ))

interface BottomAxisProps<Tick extends number | Date> {
  readonly scale: (tick: Tick) => number
  readonly ticks: readonly Tick[]
  /** Base line of the words, in pixels. */
  readonly y: number
  readonly format: (tick: Tick) => string
}

/** The marked values, or times, below the chart. */
export const BottomAxis = <Tick extends number | Date>({ scale, ticks, y, format }: BottomAxisProps<Tick>) =>
  ticks.map((tick) => (
    <text key={Number(tick)} className={classes.tick} x={scale(tick)} y={y} textAnchor="middle">
      {format(tick)}
    </text>
  ))

/** Seconds between two marks of time; without two, what is given instead. */
export const secondsBetween = ([first, second]: readonly Date[], otherwise: number): number =>
  first && second ? (second.getTime() - first.getTime()) / 1000 : otherwise
