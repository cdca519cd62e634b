import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { api, query, type Schemas } from '../../../api/client.ts'
import { problemOf } from '../../../api/problem.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { plainWords } from '../../../format/words.ts'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import { isEnded } from '../../../ui/status.tsx'
import type { ModelInput } from '../inputs.ts'
import { Waterfall } from './waterfall.tsx'
import classes from './result.module.css'

interface ExplanationPanelProps {
  readonly predictionId: number
  readonly inputs: readonly ModelInput[]
  /** Whether the caller may have an explanation made. */
  readonly mayAsk: boolean
}

/** Why the estimate is what it is, once somebody has asked. */
export const ExplanationPanel = ({ predictionId, inputs, mayAsk }: ExplanationPanelProps) => {
  const at = { params: { path: { id: predictionId } } }
  const explanation = query.useQuery('get', '/v1/predictions/{id}/explanation', at, {
    refetchInterval: ({ state }) => state.data !== undefined && !isEnded(state.data.state) && livePeriod.fast,
  })
  const request = useMutation({
    mutationFn: () =>
      api.POST('/v1/predictions/{id}/explanation', {
        params: { path: { id: predictionId }, header: { Prefer: 'wait=20' } },
      }),
    onSuccess: () => explanation.refetch(),
  })
  const isMissing = explanation.isError && problemOf(explanation.error).status === 404
  const { data } = explanation
  const ask = (words: string) => (
    <Button variant="default" loading={request.isPending} onClick={() => request.mutate()}>
      {words}
    </Button>
  )
  return (
    <Panel title="What moved this estimate">
      <div className={classes.stack}>
        {explanation.isPending && <Loading lines={4} />}
        {isMissing && !request.isError && (
          <div className={`${classes.ask} mg-screen-only`}>
            <p className={classes.plain}>
              {mayAsk ? 'The model can say what each answer added.' : 'Nobody has asked for an explanation yet.'}
            </p>
            {mayAsk && ask('Explain this estimate')}
          </div>
        )}
        {isMissing && <p className={classes.printOnly}>No explanation was requested.</p>}
        {explanation.isError && !isMissing && !data && (
          <Failure error={explanation.error} onRetry={() => void explanation.refetch()} />
        )}
        {request.isError && <Failure error={request.error} onRetry={() => request.mutate()} />}
        {data && !isEnded(data.state) && (
          <Notice kind="info" title={`The explanation is ${plainWords(data.state)}`}>
            It comes here by itself.
          </Notice>
        )}
        {data && isEnded(data.state) && data.state !== 'succeeded' && (
          <Notice kind="bad" title="It could not be explained" action={mayAsk && ask('Try again')}>
            {data.error
              ? `${data.error.message} (${data.error.code})`
              : `The explanation was ${plainWords(data.state)}.`}
          </Notice>
        )}
        {data?.state === 'succeeded' && <Explained explanation={data} inputs={inputs} />}
      </div>
    </Panel>
  )
}

const methods: Readonly<Record<string, string>> = {
  tree_interventional: 'exactly, from the trees of the model (SHAP)',
  tree_path_dependent: 'exactly, from the trees of the model (SHAP)',
  linear: 'exactly, from the weights of the model (SHAP)',
  exact: 'exactly, from every combination of the inputs (SHAP)',
  permutation: 'from a sample (SHAP), with the error shown at each bar',
}

interface ExplainedProps {
  readonly explanation: Schemas['Explanation']
  readonly inputs: readonly ModelInput[]
}

const Explained = ({ explanation, inputs }: ExplainedProps) => (
  <>
    <p className={classes.caution}>
      These are the model&apos;s reasons, not causes; changing a value need not change the risk.
    </p>
    <Waterfall explanation={explanation} inputs={inputs} />
    {explanation.method !== null && (
      <p className={classes.note}>Computed {methods[explanation.method] ?? `by ${explanation.method}`}.</p>
    )}
  </>
)
