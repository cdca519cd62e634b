import { Facts, type Fact } from '../../../ui/facts.tsx'
import { Panel } from '../../../ui/page.tsx'
import type { ResultProps } from './estimate.tsx'
import { aucWords, calibrationWords, slopeWords } from './model-quality.ts'
import classes from './result.module.css'

const Items = ({ of }: { readonly of: readonly string[] }) => (
  <ul className={classes.list}>
    {of.map((each) => (
      <li key={each}>{each}</li>
    ))}
  </ul>
)

/** Which model it was, on whom it was built and tested, how good it is, and who it is not for. */
export const Evidence = ({ prediction, model }: ResultProps) => {
  const reference = `${prediction.model.name}, version ${prediction.model.version}`
  if (!model) {
    return (
      <div className={classes.half}>
        <Panel title="The model">
          <Facts of={[['Model', reference]]} />
        </Panel>
      </div>
    )
  }
  const { evidence, interval, limits } = model
  const quality = [
    aucWords(model),
    slopeWords(model),
    prediction.risk_score === null ? undefined : calibrationWords(model, prediction.risk_score),
  ].filter((words) => words !== undefined)
  const facts: Fact[] = [
    ['Model', `${model.title} (${reference})`],
    ['Intended use', evidence?.intended_use],
    ['Built on', evidence?.training_data],
    ['Tested on', evidence?.validation],
    ['How good it is', quality.length > 0 ? <Items of={quality} /> : 'The model states no AUC and no calibration.'],
    ['Not for', evidence && evidence.not_for.length > 0 ? <Items of={evidence.not_for} /> : undefined],
  ]
  return (
    <div className={classes.half}>
      <Panel title="The model">
        <Facts of={facts} />
        {!evidence && <p className={classes.note}>The model does not say on whom it was built and tested.</p>}
        <details className={`${classes.details} mg-screen-only`}>
          <summary>Limits{interval && ', and how the interval was made'}</summary>
          <Items of={limits} />
          {interval && <p className={classes.note}>Interval: {interval.method}</p>}
        </details>
      </Panel>
    </div>
  )
}
