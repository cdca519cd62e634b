import { useId } from 'react'
import { frequencyOf, type Outcome } from '../risk-words.ts'
import classes from './result.module.css'

interface IconArrayProps {
  readonly risk: number
  readonly outcome: Outcome
}

/** People of a hundred or a thousand, those with the outcome filled from the bottom, row by row. */
export const IconArray = ({ risk, outcome }: IconArrayProps) => {
  const { of, with: affected, open, withWords, withoutWords } = frequencyOf(risk)
  const hatch = useId()
  const across = of === 100 ? 10 : 40
  const rows = of / across
  const cell = of === 100 ? 20 : 8
  const stateOf = (person: number) => {
    if (person < affected) return 'with'
    return person < affected + open ? 'open' : 'without'
  }
  return (
    <figure className={classes.icons}>
      <svg
        viewBox={`0 0 ${across * cell} ${rows * cell}`}
        className={classes.iconArray}
        role="img"
        aria-label={`${of} people: ${withWords} with ${outcome.noun}, ${withoutWords} without.`}
      >
        <defs>
          <pattern id={hatch} width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="2" height="4" className={classes.personWith} />
          </pattern>
        </defs>
        {Array.from({ length: of }, (_, person) => {
          const state = stateOf(person)
          return (
            <circle
              key={person}
              cx={((person % across) + 0.5) * cell}
              cy={(rows - Math.floor(person / across) - 0.5) * cell}
              r={cell * 0.36}
              className={state === 'without' ? classes.personWithout : classes.personWith}
              {...(state === 'open' && { style: { fill: `url(#${hatch})` } })}
            />
          )
        })}
      </svg>
      <figcaption className={classes.legend} aria-hidden="true">
        <span>
          <i className={classes.keyWith} /> {withWords} with {outcome.noun}
        </span>
        <span>
          <i className={classes.keyWithout} /> {withoutWords} without
        </span>
      </figcaption>
    </figure>
  )
}
