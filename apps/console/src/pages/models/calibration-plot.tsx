import { useElementSize } from '@mantine/hooks'
import { max } from 'd3-array'
import { scaleLinear, scaleSqrt } from 'd3-scale'
import type { Schemas } from '../../api/client.ts'
import { BottomAxis, ValueAxis } from '../../charts/axes.tsx'
import { ChartFrame } from '../../charts/chart-frame.tsx'
import { Drawing } from '../../charts/drawing.tsx'
import { formatCount, formatNumber } from '../../format/numbers.ts'
import classes from './models.module.css'

type Calibration = Schemas['ModelEvidence']['calibration'][number]

const margin = { top: 8, right: 12, bottom: 40, left: 52 }
const height = 280

const percent = (part: number): string => `${formatNumber(part * 100)} %`

/** In words: how many people stand behind the plot, and how far its groups lie from the diagonal. */
const summaryOf = (points: Calibration['points']): string => {
  const people = points.reduce((sum, { count }) => sum + count, 0)
  const off = points.reduce((sum, { predicted, observed, count }) => sum + Math.abs(predicted - observed) * count, 0)
  const mean = people > 0 ? off / people : 0
  return `${formatCount(people)} people in ${points.length} groups by rising prediction; on average, the share that was observed is ${formatNumber(mean * 100)} percentage points from the prediction.`
}

/** Predicted against observed shares: on the diagonal, the model says what happens. The area of a point is its count. */
export const CalibrationPlot = ({ title, points }: Pick<Calibration, 'title' | 'points'>) => {
  const { ref, width } = useElementSize()
  const top = Math.max(max(points, ({ predicted, observed }) => Math.max(predicted, observed)) ?? 1, 0.05)
  const x = scaleLinear([0, top], [margin.left, Math.max(width - margin.right, margin.left + 1)]).nice(4)
  const y = scaleLinear(x.domain(), [height - margin.bottom, margin.top])
  const radius = scaleSqrt([0, max(points, ({ count }) => count) ?? 1], [0, 9])
  const [from = 0, to = 1] = x.domain()
  const table = {
    head: ['Predicted', 'Observed', 'People'],
    rows: points.map(({ predicted, observed, count }) => [percent(predicted), percent(observed), formatCount(count)]),
  }
  return (
    <ChartFrame title={title} summary={summaryOf(points)} table={table}>
      <Drawing frame={ref} width={width} height={height} label={`${title}. ${summaryOf(points)}`}>
        <ValueAxis scale={y} left={margin.left} right={width - margin.right} format={percent} />
        <BottomAxis scale={x} ticks={x.ticks(4)} y={height - margin.bottom + 16} format={percent} />
        <text className={classes.axis} x={(margin.left + width) / 2} y={height - 4} textAnchor="middle">
          Predicted, against observed (upwards)
        </text>
        <line className={classes.diagonal} x1={x(from)} y1={y(from)} x2={x(to)} y2={y(to)} />
        {points.map(({ predicted, observed, count }) => (
          <circle key={predicted} className={classes.point} cx={x(predicted)} cy={y(observed)} r={radius(count)}>
            <title>{`${percent(predicted)} predicted, ${percent(observed)} observed, ${formatCount(count)} people`}</title>
          </circle>
        ))}
      </Drawing>
    </ChartFrame>
  )
}
