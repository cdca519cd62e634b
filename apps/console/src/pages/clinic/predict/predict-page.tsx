import { Select } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { query } from '../../../api/client.ts'
import { referenceOf } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { offeredModels, useModel, type Model } from '../models.ts'
import { PredictForm, type Draft } from './predict-form.tsx'
import classes from './predict.module.css'

const route = getRouteApi('/predict')

/** Asks for what a model needs, and has the prediction made. */
export const PredictPage = () => {
  const { me, may } = useSession()
  const search = route.useSearch()
  // Here, so that what was entered outlives the form of one model.
  const [draft, setDraft] = useState<Draft>({
    person: me.user_id === null ? (search.person ?? '') : String(me.user_id),
    entries: {},
  })
  const navigate = route.useNavigate()
  const models = query.useQuery('get', '/v1/models', {}, { staleTime: 30_000 })
  const offered = models.data && offeredModels(models.data.items)
  const chosen = offered?.find((model) => referenceOf(model) === search.model) ?? offered?.[0]
  const model = useModel(chosen)
  return (
    <Page title="Predict" isNarrow lead="Enter what is known of one person. The model says how sure it is, and why.">
      {!may('submitter') && (
        <Notice kind="info" title="You may read predictions, and not make them">
          Making one needs the role submitter. An administrator gives it.
        </Notice>
      )}
      {models.isError && !models.data && <Failure error={models.error} onRetry={() => void models.refetch()} />}
      {offered?.length === 0 && <NoModel />}
      {offered && chosen && (
        <Panel title="Model">
          <Select
            label="Which question is to be answered"
            data={offered.map((each) => ({ value: referenceOf(each), label: each.title }))}
            value={referenceOf(chosen)}
            allowDeselect={false}
            onChange={(value) =>
              value && void navigate({ search: (before) => ({ ...before, model: value }), replace: true })
            }
          />
          <ModelState model={chosen} />
          {model.data && <Purpose evidence={model.data.evidence} summary={model.data.summary} />}
        </Panel>
      )}
      {model.isError && !model.data && <Failure error={model.error} onRetry={() => void model.refetch()} />}
      {model.data ? (
        may('submitter') && <PredictForm model={model.data} draft={draft} onChange={setDraft} />
      ) : (
        <>{(models.isPending || model.isLoading) && <Loading lines={6} height={44} />}</>
      )}
    </Page>
  )
}

const NoModel = () => (
  <Panel>
    <Empty title="There is no model that predicts a risk">
      A model is a folder in MODELS_DIR. The page Models says what is wrong with those that cannot be used.
    </Empty>
  </Panel>
)

const ModelState = ({ model }: { readonly model: Model }) => {
  if (model.state === 'ready') return undefined
  const why = {
    loading: 'It is being loaded. A prediction waits until it is ready.',
    broken: `It cannot be used: ${model.reason ?? 'no worker could load it'}.`,
    unknown: 'No worker has reported it yet. A prediction waits until one does.',
  }[model.state]
  return (
    <div style={{ marginTop: 12 }}>
      <Notice kind={model.state === 'broken' ? 'bad' : 'warn'} title="This model is not ready">
        {why}
      </Notice>
    </div>
  )
}

type PurposeProps = Readonly<{
  evidence: NonNullable<ReturnType<typeof useModel>['data']>['evidence']
  summary: string
}>

const Purpose = ({ evidence, summary }: PurposeProps) => (
  <>
    <p className={classes.note} style={{ marginTop: 12 }}>
      {evidence?.intended_use ?? summary}
    </p>
    {evidence !== null && evidence.not_for.length > 0 && (
      <>
        <h3 className={classes.subtitle}>Who it is not for</h3>
        <ul className={classes.list}>
          {evidence.not_for.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      </>
    )}
  </>
)
