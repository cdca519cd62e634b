import { useElementSize } from '@mantine/hooks'
import { extent } from 'd3-array'
import { scaleLinear } from 'd3-scale'
import type { Schemas } from '../../../api/client.ts'
import { ChartFrame } from '../../../charts/chart-frame.tsx'
import { formatValue, type ModelInput } from '../inputs.ts'
import { formatRisk } from '../risk-words.ts'
import { scaleOf, waterfallBars, type ContributionScale, type WaterfallBar } from './waterfall-layout.ts'
import classes from './waterfall.module.css'

interface WaterfallProps {
  readonly explanation: Schemas['Explanation']
  readonly inputs: readonly ModelInput[]
}

const rowHeight = 40
const top = 44

/** `MMSE: 24 points`, `Education: not given`. */
const nameOf = ({ of, count }: WaterfallBar, inputs: readonly ModelInput[]): string => {
  if (!of) return `The ${count} others together`
  if (of.value === null) return `${of.title}: not given`
  const input = inputs.find(({ name }) => name === of.feature)
  return `${of.title}: ${input ? formatValue(input, of.value) : `${of.value} ${of.unit}`}`
}

const effectOf = (amount: number): string => {
  if (Math.abs(amount) < 0.005) return 'hardly moved it'
  return amount > 0 ? 'raised it' : 'lowered it'
}

/** What moved an estimate, from where the model starts to where it arrived. */
export const Waterfall = ({ explanation, inputs }: WaterfallProps) => {
  const { base_value: base, output, contributions, space } = explanation
  if (base === null || output === null || contributions === null) return undefined
  const scale = scaleOf(space)
  const bars = waterfallBars(base, contributions)
  const start = sumWords(base, scale)
  const end = sumWords(output, scale)
  const rows = bars.map((bar) => {
    const error = bar.of?.standard_error
    return {
      name: nameOf(bar, inputs),
      amount: scale.format(bar.amount) + (error === undefined ? '' : ` ± ${scale.format(error).replace('+', '')}`),
      effect: effectOf(bar.amount),
      bar,
    }
  })
  return (
    <ChartFrame
      title="From the average to this estimate"
      summary={`It starts at the average of the model's reference people, ${start}, and ends at ${end}. ${scale.note}`}
      table={{
        head: ['Input', `Contribution (${scale.unit})`, 'Effect'],
        rows: [
          ['Average of the reference people', scale.format(base), start],
          ...rows.map(({ name, amount, effect }) => [name, amount, effect]),
          ['This estimate', scale.format(output), end],
        ],
      }}
    >
      <div className={classes.both}>
        <Drawing base={base} output={output} rows={rows} scale={scale} />
        <ul className={classes.list} aria-label="What moved this estimate, largest first">
          {rows.map(({ name, amount, effect }) => (
            <li key={name}>
              {name} <b>{effect}</b> ({amount} {scale.unit})
            </li>
          ))}
        </ul>
      </div>
    </ChartFrame>
  )
}

/** A sum as the probability that it stands for, or as it is. */
const sumWords = (sum: number, { probabilityOf, format }: ContributionScale): string =>
  probabilityOf ? formatRisk(probabilityOf(sum)) : format(sum)

interface DrawingProps {
  readonly base: number
  readonly output: number
  readonly rows: readonly { readonly name: string; readonly amount: string; readonly bar: WaterfallBar }[]
  readonly scale: ContributionScale
}

const Drawing = ({ base, output, rows, scale }: DrawingProps) => {
  const { ref, width } = useElementSize()
  const [low = 0, high = 1] = extent([base, output, ...rows.map(({ bar }) => bar.to)])
  const room = (high - low || 1) * 0.04
  const x = scaleLinear([low - room, high + room], [8, Math.max(width - 64, 9)])
  const height = top + rows.length * rowHeight + 30
  const y = (row: number): number => top + row * rowHeight
  return (
    <div ref={ref} style={{ height }} className={classes.holder} aria-hidden="true">
      {width > 0 && (
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} className={classes.chart}>
          <defs>
            <pattern id="missing" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect className={classes.hatchBack} width="6" height="6" />
              <rect className={classes.hatch} width="2.4" height="6" />
            </pattern>
          </defs>
          <line className={classes.base} x1={x(base)} x2={x(base)} y1={20} y2={height - 24} />
          <text className={classes.label} x={x(base)} y={14} textAnchor={anchorOf(x(base), width)}>
            average {sumWords(base, scale)}
          </text>
          <line className={classes.output} x1={x(output)} x2={x(output)} y1={top - 8} y2={height - 18} />
          <text className={classes.strong} x={x(output)} y={height - 4} textAnchor={anchorOf(x(output), width)}>
            this estimate {sumWords(output, scale)}
          </text>
          {rows.map(({ name, amount, bar }, row) => {
            const [left, right] = [x(Math.min(bar.from, bar.to)), x(Math.max(bar.from, bar.to))]
            return (
              <g key={name}>
                <text className={classes.label} x={0} y={y(row) + 11}>
                  {name}
                </text>
                <rect
                  className={bar.amount >= 0 ? classes.up : classes.down}
                  x={left}
                  y={y(row) + 16}
                  width={Math.max(right - left, 1.5)}
                  height={14}
                  rx={2}
                  {...(bar.of?.value === null && { fill: 'url(#missing)' })}
                />
                <text className={classes.amount} x={right + 6} y={y(row) + 27}>
                  {amount}
                </text>
              </g>
            )
          })}
        </svg>
      )}
    </div>
  )
}

const anchorOf = (at: number, width: number): 'start' | 'middle' | 'end' => {
  if (at < 80) return 'start'
  return at > width - 100 ? 'end' : 'middle'
}
