import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { api, query } from '../../../api/client.ts'
import { problemOf } from '../../../api/problem.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { useRefresh } from '../../../api/refresh.ts'
import { plainWords } from '../../../format/words.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Facts } from '../../../ui/facts.tsx'
import { Failure } from '../../../ui/failure.tsx'
import { Loading } from '../../../ui/loading.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Panel } from '../../../ui/page.tsx'
import { isEnded } from '../../../ui/status.tsx'
import { Time } from '../../../ui/time.tsx'
import { useModel } from '../models.ts'
import { FanChart } from './fan-chart.tsx'
import { forecastSentence, monthsUpTo, statedPoints, type Forecast } from './forecast-words.ts'
import classes from './people.module.css'

/** The model that forecasts: the newest there is. */
const useForecastModel = () => {
  const models = query.useQuery('get', '/v1/models', {}, { staleTime: 60_000 })
  return useModel(models.data?.items.find(({ kind, is_active: isActive }) => kind === 'forecast' && isActive))
}

/** A requested forecast that is not ready yet: follows its task until it ends. */
const useAwaited = (forecast: Forecast | undefined) => {
  const isOpen = forecast !== undefined && forecast.state !== 'succeeded'
  const task = query.useQuery(
    'get',
    '/v1/tasks/{id}',
    { params: { path: { id: forecast?.task_id ?? '' } } },
    {
      enabled: isOpen && !isEnded(forecast.state),
      refetchInterval: ({ state }) => !isEnded(state.data?.state) && livePeriod.fast,
    },
  )
  if (!isOpen) return undefined
  const { state, error } = task.data ?? forecast
  return { taskId: forecast.task_id, state, error }
}

/** What scores are to be expected of a person, from those that were measured. */
export const ForecastTab = ({ userId }: { readonly userId: number }) => {
  const { may } = useSession()
  const refresh = useRefresh()
  const model = useForecastModel()
  const stated = model.data?.forecast?.horizons_months
  const request = useMutation({
    mutationFn: async () => {
      const { data } = await api.POST('/v1/users/{user_id}/forecasts', {
        params: { path: { user_id: userId }, header: { Prefer: 'wait=20' } },
        body: stated === undefined ? {} : { horizons_months: monthsUpTo(stated) },
      })
      await refresh('/v1/users/{user_id}/forecasts/latest')
      return data
    },
  })
  const awaited = useAwaited(request.data)
  const isOpen = awaited !== undefined && (awaited.state === 'succeeded' || !isEnded(awaited.state))
  const latest = query.useQuery(
    'get',
    '/v1/users/{user_id}/forecasts/latest',
    { params: { path: { user_id: userId } } },
    { refetchInterval: ({ state }) => isOpen && state.data?.task_id !== awaited.taskId && livePeriod.fast },
  )
  const isMissing = latest.isError && problemOf(latest.error).status === 404
  const ask = may('submitter') && (
    <Button loading={request.isPending} disabled={model.isPending} onClick={() => request.mutate()}>
      {latest.data ? 'Make a new forecast' : 'Make a forecast'}
    </Button>
  )
  return (
    <Panel title="MMSE forecast" hint={latest.data?.disclaimer} actions={latest.data && ask}>
      <div className={classes.stack}>
        {request.isError && <Failure error={request.error} />}
        {awaited && awaited.taskId !== latest.data?.task_id && <Awaited {...awaited} />}
        {latest.isPending && <Loading lines={5} height={40} />}
        {latest.isError && !isMissing && !latest.data && (
          <Failure error={latest.error} onRetry={() => void latest.refetch()} />
        )}
        {isMissing && !latest.data && (
          <Empty title="There is no forecast of this person yet" action={ask}>
            It is made from the dated MMSE scores of the person. Without any, it is that of all people of the same age.
          </Empty>
        )}
        {latest.data && <Made forecast={latest.data} stated={stated} />}
      </div>
    </Panel>
  )
}

const Awaited = ({
  state,
  error,
}: Pick<Forecast, 'state'> & { readonly error: { code: string; message: string } | null }) =>
  isEnded(state) && state !== 'succeeded' ? (
    <Notice
      kind="bad"
      title={`The new forecast ${state === 'failed' ? 'could not be made' : `was ${plainWords(state)}`}`}
    >
      {error && `${error.message} (${error.code})`}
    </Notice>
  ) : (
    <Notice kind="info" title={`The new forecast is ${plainWords(state)}`}>
      It comes here by itself.
    </Notice>
  )

const rate = new Intl.NumberFormat('en', { maximumFractionDigits: 1, signDisplay: 'exceptZero' })

interface MadeProps {
  readonly forecast: Forecast
  /** Horizons that the model states; undefined if it is not known. */
  readonly stated: readonly number[] | undefined
}

const Made = ({ forecast, stated }: MadeProps) => {
  const model = useModel(forecast.model ?? undefined)
  const points = statedPoints(forecast.points ?? [], stated)
  const last = points.at(-1)
  const isOfPopulation = forecast.basis === 'population'
  const hidden = (forecast.points?.length ?? 0) - points.length
  return (
    <>
      {(isOfPopulation || forecast.warnings.length > 0) && (
        <Notice kind="warn" title={isOfPopulation ? 'This is not a forecast of this person' : 'The model warns'}>
          {isOfPopulation && <div>It is what is to be expected of people of the same age.</div>}
          {forecast.warnings.map((warning) => (
            <div key={warning}>{warning}</div>
          ))}
        </Notice>
      )}
      {last ? (
        <FanChart
          title="MMSE, measured and expected"
          summary={forecastSentence(forecast, last)}
          basis={forecast.basis}
          history={forecast.history ?? []}
          points={points}
        />
      ) : (
        <Notice kind="warn" title="No point of this forecast lies within the horizon that its model states">
          Make a new one.
        </Notice>
      )}
      {hidden > 0 && (
        <p className={classes.note}>
          Points beyond {Math.max(...(stated ?? []))} months are left out: the model does not state how sure it is of
          them.
        </p>
      )}
      <p className={classes.note}>
        A band holds where people end, not how they get there: single paths are not drawn, since the forecast gives each
        day on its own and not how the days hang together.
      </p>
      <Facts
        of={[
          ['Made', <Time key="made" at={forecast.completed_at} />],
          ['Counts from', <Time key="from" at={forecast.reference_at} />],
          ['Measured scores used', forecast.visits_used ?? undefined],
          [
            'Expected change',
            forecast.rate_per_year === null
              ? undefined
              : `${rate.format(forecast.rate_per_year)} points in the coming year`,
          ],
          ['Built on', model.data?.evidence?.training_data],
          ['Tested on', model.data?.evidence?.validation],
          ['Model', forecast.model ? `${forecast.model.name}, version ${forecast.model.version}` : undefined],
        ]}
      />
      {model.data && (
        <details className={classes.details}>
          <summary>Limits of this model</summary>
          <ul className={classes.list}>
            {[...(model.data.evidence?.not_for ?? []).map((each) => `Not for: ${each}`), ...model.data.limits].map(
              (each) => (
                <li key={each}>{each}</li>
              ),
            )}
          </ul>
        </details>
      )}
    </>
  )
}
