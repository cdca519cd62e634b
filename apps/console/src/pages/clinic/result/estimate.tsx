import type { Schemas } from '../../../api/client.ts'
import { listOf, plainWords } from '../../../format/words.ts'
import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import { Status } from '../../../ui/status.tsx'
import { formatRisk, intervalWords, outcomeOf, riskSentence } from '../risk-words.ts'
import { IconArray } from './icon-array.tsx'
import { RiskScale } from './risk-scale.tsx'
import classes from './result.module.css'

export interface ResultProps {
  readonly prediction: Schemas['Prediction']
  /** Undefined if the model is no longer here. */
  readonly model: Schemas['ModelDetail'] | undefined
}

/** The output that the score comes from, in words; without its model there is nothing to say but that it is one. */
export const primaryOutcome = (model: ResultProps['model']) => {
  const output = model?.outputs.find(({ name }) => name === model.primary_output)
  return outcomeOf(output ?? { title: 'The outcome of this model', horizon_years: null })
}

/** `90 % interval`. */
const levelOf = (level: number): string => `${Number((level * 100).toPrecision(3))} %`

/** The estimate in words, as people, as a number with its interval, and on a scale with the categories. */
export const Estimate = ({ prediction, model }: ResultProps) => {
  const { risk_score: risk, risk_category: category, confidence_interval: interval } = prediction
  if (risk === null) return undefined
  const outcome = primaryOutcome(model)
  const between = interval && intervalWords(risk, interval)
  return (
    <Panel>
      <h2 className="mg-hidden">The estimate</h2>
      <div className={classes.stack}>
        <div className={classes.headline}>
          <div className={classes.text}>
            <p className={classes.sentence}>{riskSentence(risk, outcome)}</p>
            <div className={classes.figure}>
              <span className={classes.percent} title={`Stored value: ${risk}`}>
                {formatRisk(risk)}
              </span>
              {category !== null && <Status tone="info">{`category: ${plainWords(category)}`}</Status>}
            </div>
            {interval && between ? (
              <p className={classes.plain}>
                The number is not exact: with {levelOf(interval.level)} confidence it lies {between}. This is how sure
                the model is of people with these answers, not what will become of this person.
              </p>
            ) : (
              <p className={classes.plain}>The model gives no interval: how sure it is of this number is not known.</p>
            )}
            <Cautions prediction={prediction} model={model} />
          </div>
          <IconArray risk={risk} outcome={outcome} />
        </div>
        {model && (
          <RiskScale
            risk={risk}
            interval={interval}
            intervalLabel={between ? `the ${levelOf(interval.level)} interval ${between}` : ''}
            categories={model.categories}
            origin={model.categories_origin}
            category={category}
          />
        )}
        <OtherOutputs prediction={prediction} model={model} />
      </div>
    </Panel>
  )
}

const titlesOf = (names: readonly string[], model: ResultProps['model']): string =>
  listOf(names.map((name) => model?.inputs.find((input) => input.name === name)?.title ?? plainWords(name)))

/** What makes the estimate less sure than the model is on its own people. */
const Cautions = ({ prediction, model }: ResultProps) => {
  const { missing_features: missing, extrapolated_features: extrapolated, warnings } = prediction
  return (
    <>
      {missing.length > 0 && (
        <Notice kind="idle" title={`Not given: ${titlesOf(missing, model)}`}>
          {model?.missing_rule === 'impute'
            ? 'The model put a usual value in their place.'
            : 'The model made its estimate without them; what that means stands at its inputs and limits.'}
        </Notice>
      )}
      {(extrapolated.length > 0 || warnings.length > 0) && (
        <Notice
          kind="warn"
          title={
            extrapolated.length > 0
              ? `Outside what the model was trained on: ${titlesOf(extrapolated, model)}`
              : 'The model warns'
          }
        >
          {warnings.map((warning) => (
            <div key={warning}>{warning}</div>
          ))}
        </Notice>
      )}
      {!model && (
        <Notice kind="warn" title="This model is no longer here">
          What it takes, and how good it is, can no longer be shown.
        </Notice>
      )}
    </>
  )
}

/** What else the model says of the same person, such as another horizon. */
const OtherOutputs = ({ prediction, model }: ResultProps) => {
  const others = Object.entries(prediction.outputs ?? {}).flatMap(([name, value]) => {
    const output = model?.outputs.find((each) => each.name === name)
    return output && name !== model?.primary_output ? [{ output, ...value }] : []
  })
  if (others.length === 0) return undefined
  return (
    <div>
      <h3 className={classes.subtitle}>The same model also says</h3>
      <ul className={classes.list}>
        {others.map(({ output, value, lower, upper }) => (
          <li key={output.name}>
            {riskSentence(value, outcomeOf(output))}
            {lower !== undefined && upper !== undefined && ` It lies ${intervalWords(value, { lower, upper })}.`}
          </li>
        ))}
      </ul>
    </div>
  )
}
