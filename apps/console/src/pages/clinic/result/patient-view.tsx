import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import { intervalWords, riskSentence } from '../risk-words.ts'
import { primaryOutcome, type ResultProps } from './estimate.tsx'
import { IconArray } from './icon-array.tsx'
import classes from './result.module.css'

/** The same estimate in fewer words, for a person who looks at it together with a clinician. */
export const PatientView = ({ prediction, model }: ResultProps) => {
  const { risk_score: risk, confidence_interval: interval } = prediction
  if (risk === null) return undefined
  const outcome = primaryOutcome(model)
  return (
    <>
      <Notice kind="info" title="This is not a diagnosis">
        It is an estimate by a computer from a few answers. Your clinician knows more about you than it does.
      </Notice>
      <Panel>
        <h2 className="mg-hidden">The estimate</h2>
        <div className={classes.headline}>
          <div className={classes.text}>
            <p className={classes.sentence}>{riskSentence(risk, outcome)}</p>
            <p className={classes.plain}>Nobody can say to which of these people you belong.</p>
            {interval && (
              <p className={classes.plain}>
                The number itself is not exact. It may lie {intervalWords(risk, interval)}.
              </p>
            )}
          </div>
          <IconArray risk={risk} outcome={outcome} />
        </div>
      </Panel>
      <Panel title="What now">
        <p className={classes.plain}>
          Talk about it with your clinician: what it rests on, whether anything is to be checked, and what you want to
          know.
        </p>
      </Panel>
    </>
  )
}
