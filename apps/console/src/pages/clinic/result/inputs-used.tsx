import { plainWords } from '../../../format/words.ts'
import { Panel } from '../../../ui/page.tsx'
import { formatValue } from '../inputs.ts'
import type { ResultProps } from './estimate.tsx'
import classes from './result.module.css'

/** Every input of the model with what was given, and what was given besides. */
export const InputsUsed = ({ prediction, model }: ResultProps) => {
  const { input_features: given, extrapolated_features: extrapolated } = prediction
  const names = new Set([...(model?.inputs.map(({ name }) => name) ?? []), ...Object.keys(given)])
  return (
    <div className={classes.half}>
      <Panel title="Inputs used">
        <dl className={classes.inputs}>
          {[...names].map((name) => {
            const input = model?.inputs.find((each) => each.name === name)
            const value = given[name]
            const remark = remarkOf(input !== undefined || !model, extrapolated.includes(name))
            return (
              <div key={name}>
                <dt>{input?.title ?? plainWords(name)}</dt>
                <dd data-missing={value === undefined}>
                  {value === undefined ? 'not given' : input ? formatValue(input, value) : value}
                  {remark !== undefined && <span className={classes.remark}>{remark}</span>}
                </dd>
              </div>
            )
          })}
        </dl>
      </Panel>
    </div>
  )
}

const remarkOf = (isUsed: boolean, isExtrapolated: boolean): string | undefined => {
  if (!isUsed) return 'stored, not used by this model'
  return isExtrapolated ? 'outside what the model was trained on' : undefined
}
