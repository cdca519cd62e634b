import type { Schemas } from '../../../api/client.ts'
import { plainWords } from '../../../format/words.ts'
import { categoryRange, formatBound, formatRisk } from '../risk-words.ts'
import classes from './scale.module.css'

interface RiskScaleProps {
  readonly risk: number
  readonly interval: { readonly lower: number; readonly upper: number } | null
  /** What the interval holds, in words. */
  readonly intervalLabel: string
  readonly categories: readonly Schemas['ModelCategory'][]
  readonly origin: string | null
  readonly category: string | null
}

const percent = (part: number): string => `${part * 100}%`

const anchorOf = (tick: number): 'start' | 'middle' | 'end' => {
  if (tick === 0) return 'start'
  return tick === 1 ? 'end' : 'middle'
}

/** An estimate, its interval and the thresholds of the categories on a linear scale from 0 to 100 %. */
export const RiskScale = ({ risk, interval, intervalLabel, categories, origin, category }: RiskScaleProps) => (
  <div className={classes.scale}>
    <div className={classes.frame}>
      <svg className={classes.drawing} aria-hidden="true">
        {categories.map(({ name, from, below }, index) => (
          <rect
            key={name}
            className={classes.band}
            data-odd={index % 2 === 1}
            x={percent(from)}
            y={20}
            width={percent((below ?? 1) - from)}
            height={14}
          />
        ))}
        {categories.slice(1).map(({ name, from }) => (
          <line key={name} className={classes.threshold} x1={percent(from)} x2={percent(from)} y1={16} y2={38} />
        ))}
        {interval && (
          <rect
            className={classes.interval}
            x={percent(interval.lower)}
            y={23}
            width={percent(Math.max(interval.upper - interval.lower, 0.004))}
            height={8}
            rx={4}
          />
        )}
        <svg x={percent(risk)} y={0} overflow="visible">
          <path className={classes.marker} d="M0 15 l-7 -12 h14 z" />
          <line className={classes.markerLine} x1={0} x2={0} y1={14} y2={38} />
        </svg>
        {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
          <text key={tick} className={classes.tick} x={percent(tick)} y={54} textAnchor={anchorOf(tick)}>
            {formatBound(tick)}
          </text>
        ))}
      </svg>
    </div>
    <p className="mg-hidden">
      On a scale from 0 to 100 %, the estimate stands at {formatRisk(risk)}
      {interval && `, ${intervalLabel}`}.
    </p>
    <ul className={classes.categories} aria-label="Categories and their thresholds">
      {categories.map((each) => (
        <li key={each.name} data-chosen={each.name === category}>
          <b>{plainWords(each.name)}</b> {categoryRange(each)}
          {each.name === category && ' (this estimate)'}
        </li>
      ))}
    </ul>
    <p className={classes.note}>Thresholds: {origin ?? 'the model does not say where they come from.'}</p>
  </div>
)
