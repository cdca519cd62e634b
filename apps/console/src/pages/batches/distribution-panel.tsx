import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, query, type Schemas } from '../../api/client.ts'
import { formatCount, formatPercent, plural } from '../../format/numbers.ts'
import { Failure } from '../../ui/failure.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Panel } from '../../ui/page.tsx'
import classes from './batches.module.css'
import { barsOf, countResults, type Distribution } from './distribution.ts'
import { DistributionChart } from './distribution-chart.tsx'

/** Rows that the page reads by itself: a few megabytes. */
const firstRows = 50_000

const read = async (id: string, maxRows: number, signal: AbortSignal): Promise<Distribution> => {
  const { data } = await api.GET('/v1/batches/{id}/results', {
    params: { path: { id }, query: { format: 'ndjson' } },
    parseAs: 'stream',
    signal,
  })
  if (!data) throw new Error('The results have no content')
  return countResults(data, maxRows)
}

/** What was counted, in words. */
const summaryOf = ({ rows, failed, isWhole }: Distribution, { total }: Schemas['Batch']): string => {
  const covered =
    isWhole && rows >= total
      ? `All ${plural(rows, 'row')}`
      : `${isWhole ? 'The' : 'The first'} ${plural(rows, 'row')} of ${formatCount(total)}${isWhole ? ' that have ended' : ''} (${formatPercent(rows / total)})`
  return `${covered}; ${failed === 0 ? 'each has a result' : `${plural(failed, 'row has', 'rows have')} no result`}.`
}

interface DistributionPanelProps {
  readonly batch: Schemas['Batch']
  readonly isOver: boolean
}

/** How the risks of a batch are distributed, over as much of the results as was read. */
export const DistributionPanel = ({ batch, isOver }: DistributionPanelProps) => {
  const { id, model, total } = batch
  const [wish, setWish] = useState<number | undefined>(isOver ? firstRows : undefined)
  const wanted = wish ?? (isOver ? firstRows : 0)
  const detail = query.useQuery(
    'get',
    '/v1/models/{name}/{version}',
    { params: { path: model } },
    { staleTime: 60_000 },
  )
  const counted = useQuery({
    queryKey: ['batch distribution', id, wanted, isOver],
    queryFn: ({ signal }) => read(id, wanted, signal),
    enabled: wanted > 0 && batch.succeeded > 0,
    staleTime: Infinity,
  })
  if (batch.succeeded === 0) return undefined
  const { data } = counted
  return (
    <Panel
      title="Distribution of the results"
      hint={batch.disclaimer}
      actions={
        <>
          {!isOver && (
            <Button
              size="xs"
              variant="default"
              loading={counted.isFetching}
              onClick={() => (wanted > 0 ? void counted.refetch() : setWish(firstRows))}
            >
              {data ? 'Read again' : 'Read what there is so far'}
            </Button>
          )}
          {data && !data.isWhole && (
            <Button size="xs" variant="default" loading={counted.isFetching} onClick={() => setWish(Infinity)}>
              Read all {formatCount(total)} rows
            </Button>
          )}
        </>
      }
    >
      <div className={classes.stack}>
        {counted.isError && <Failure error={counted.error} onRetry={() => void counted.refetch()} />}
        {counted.isLoading && <Loading lines={6} />}
        {data && (
          <DistributionChart
            bars={barsOf(data, detail.data?.categories.map(({ name }) => name) ?? [])}
            summary={summaryOf(data, batch)}
          />
        )}
        {wanted === 0 && <span className={classes.muted}>It is read when the batch has ended.</span>}
      </div>
    </Panel>
  )
}
