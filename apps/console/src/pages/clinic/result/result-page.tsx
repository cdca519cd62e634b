import { Button, Switch } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { listOf } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Icon } from '../../../ui/icon.tsx'
import { PersonLink } from '../../../ui/links.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { isEnded, TaskStatus } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import { useModel } from '../models.ts'
import { Estimate } from './estimate.tsx'
import { Evidence } from './evidence.tsx'
import { ExplanationPanel } from './explanation-panel.tsx'
import { InputsUsed } from './inputs-used.tsx'
import { PatientView } from './patient-view.tsx'
import { Unfinished } from './unfinished.tsx'
import classes from './result.module.css'

const route = getRouteApi('/predictions/$id')

/** A prediction: its estimate in words first, then why, from what, and by which model. */
export const ResultPage = () => {
  const { id } = route.useParams()
  const { view } = route.useSearch()
  const navigate = route.useNavigate()
  const prediction = query.useQuery(
    'get',
    '/v1/predictions/{id}',
    { params: { path: { id: Number(id) } } },
    { refetchInterval: ({ state }) => !isEnded(state.data?.state) && state.status !== 'error' && livePeriod.fast },
  )
  const data = prediction.data
  const model = useModel(data?.model)
  const isPatientView = view === 'patient'
  const hasResult = data?.state === 'succeeded'
  return (
    <Page
      title={`Prediction ${id}`}
      isNarrow
      badge={data && <TaskStatus state={data.state} />}
      lead={data && <Lead prediction={data} title={model.data?.title} />}
      actions={
        hasResult && (
          <>
            <Switch
              label="Patient view"
              checked={isPatientView}
              onChange={(event) =>
                void navigate({ search: { view: event.currentTarget.checked ? 'patient' : undefined }, replace: true })
              }
            />
            <Button variant="default" leftSection={<Icon name="print" size={16} />} onClick={() => window.print()}>
              Print
            </Button>
          </>
        )
      }
    >
      {prediction.isError && !data && <Failure error={prediction.error} onRetry={() => void prediction.refetch()} />}
      {prediction.isPending && <Loading lines={6} height={32} />}
      {data && !hasResult && <Unfinished prediction={data} />}
      {data && hasResult && (model.data || model.isError) && (
        <div className={classes.result}>
          {isPatientView ? (
            <PatientView prediction={data} model={model.data} />
          ) : (
            <Result prediction={data} model={model.data} />
          )}
        </div>
      )}
      {data && hasResult && model.isPending && <Loading lines={6} height={32} />}
    </Page>
  )
}

interface ResultProps {
  readonly prediction: Schemas['Prediction']
  /** Undefined if the model is no longer here. */
  readonly model: Schemas['ModelDetail'] | undefined
}

const Lead = ({
  prediction,
  title,
}: {
  readonly prediction: Schemas['Prediction']
  readonly title?: string | undefined
}) => (
  <>
    <PersonLink id={prediction.user_id}>Person {prediction.user_id}</PersonLink>, {title ?? prediction.model.name},{' '}
    <Time at={prediction.completed_at ?? prediction.created_at} />
    {prediction.external_id !== null && `, number ${prediction.external_id} of the Celery caller`}
  </>
)

const Result = ({ prediction, model }: ResultProps) => {
  const { may } = useSession()
  return (
    <>
      <Estimate prediction={prediction} model={model} />
      <ExplanationPanel predictionId={prediction.id} inputs={model?.inputs ?? []} mayAsk={may('submitter')} />
      <InputsUsed prediction={prediction} model={model} />
      <Evidence prediction={prediction} model={model} />
      <NextStep prediction={prediction} model={model} />
    </>
  )
}

/** Titles of missing inputs that matter most to the model, at most three. */
const worthAsking = ({ missing_features: missing }: Schemas['Prediction'], model: ResultProps['model']): string[] => {
  const ranked = model?.evidence?.importance?.values.map(({ input }) => input) ?? []
  return missing
    .toSorted((left, right) => rankIn(ranked, left) - rankIn(ranked, right))
    .slice(0, 3)
    .map((name) => model?.inputs.find((input) => input.name === name)?.title ?? name)
}

const rankIn = (ranked: readonly string[], name: string): number => {
  const rank = ranked.indexOf(name)
  return rank === -1 ? ranked.length : rank
}

const NextStep = ({ prediction, model }: ResultProps) => {
  const missing = worthAsking(prediction, model)
  return (
    <Panel title="Next step">
      <ul className={classes.list}>
        <li>Read the estimate together with the history and the examination; a number alone decides nothing.</li>
        {missing.length > 0 && <li>It would rest on more with {listOf(missing)}.</li>}
        {prediction.extrapolated_features.length > 0 && (
          <li>Check the values outside the usual range: a mistyped one changes the estimate.</li>
        )}
      </ul>
      <p className={`${classes.disclaimer} ${classes.last}`}>{prediction.disclaimer}</p>
    </Panel>
  )
}
