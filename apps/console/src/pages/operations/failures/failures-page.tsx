import { Button, Select } from '@mantine/core'
import { keepPreviousData } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { query, type Schemas } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { formatCapped, plural } from '../../../format/numbers.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Table } from '../../../ui/table.tsx'
import { Time } from '../../../ui/time.tsx'
import { failureRanges, rangeWords } from '../../overview/ranges.ts'
import { PlanDialog } from '../plans/plan-dialog.tsx'
import { TaskSearch } from '../tasks/task-search.tsx'
import { withWords, wordOf } from '../tasks/search-words.ts'
import { Sparkline } from './sparkline.tsx'

const route = getRouteApi('/failures')

type Group = Schemas['TaskFailures']['items'][number]

/** The search that finds the tasks of a group, from the time that was counted on. */
const searchOf = (q: string, group: Group, since: string): string =>
  withWords(
    q,
    `state:failed,timed_out ${wordOf('error', group.error_code)} ${wordOf('name', group.name)} since:${since}`,
  )

/** What failed, by error and kind of task. */
export const FailuresPage = () => {
  const { q = '', since = '24h' } = route.useSearch()
  const navigate = route.useNavigate()
  const { may } = useSession()
  const [chosen, setChosen] = useState<string>()
  const hasSince = /(^|\s)since:/i.test(q)
  const { data, error, refetch } = query.useQuery(
    'get',
    '/v1/tasks/errors',
    { params: { query: { ...(q !== '' && { q }), ...(!hasSince && { since }) } } },
    { refetchInterval: livePeriod.slow, placeholderData: keepPreviousData },
  )
  const wordsOf = (group: Group) => searchOf(q, group, hasSince ? (data?.since ?? since) : since)
  return (
    <Page
      title="Failures"
      lead="Tasks that failed or timed out, most frequent first."
      actions={
        <Select
          aria-label="Time"
          w={170}
          allowDeselect={false}
          data={failureRanges.map((value) => ({ value, label: rangeWords[value] }))}
          value={since}
          disabled={hasSince}
          onChange={(value) => void navigate({ search: { q, since: spanOf(value) } })}
        />
      }
    >
      <TaskSearch q={q} onSearch={(next) => void navigate({ search: { q: next, since } })} />
      {data && !data.is_complete && (
        <Notice kind="info" title="Not everything was counted">
          Counting was given up after a short time. What was made since <Time at={data.counted_from} /> is counted in
          full, earlier failures in part.
        </Notice>
      )}
      <Panel isFlush>
        <Table
          caption="Failures by error and kind of task"
          rows={data?.items}
          error={error}
          onRetry={() => void refetch()}
          keyOf={({ error_code: code, name }) => `${code} ${name}`}
          empty={<Empty title="Nothing failed">No task failed or timed out in this time.</Empty>}
          columns={[
            {
              title: 'Error and task',
              cell: (group) => (
                <>
                  <Link to="/tasks" search={{ q: wordsOf(group) }}>
                    <code>{group.error_code}</code>
                  </Link>
                  <div>{group.name}</div>
                </>
              ),
            },
            {
              title: 'Tasks',
              isNumber: true,
              cell: ({ count, count_is_capped: isCapped }) => formatCapped(count, isCapped),
            },
            {
              title: 'Over the time',
              isMinor: true,
              cell: ({ sparkline, error_code: code }) => (
                <Sparkline counts={sparkline} words={sparkWords(sparkline, code)} />
              ),
            },
            { title: 'First', isNumber: true, isMinor: true, cell: ({ first_at: at }) => <Time at={at} isAge /> },
            { title: 'Last', isNumber: true, cell: ({ last_at: at }) => <Time at={at} isAge /> },
            { title: 'For example', isWide: true, cell: ({ sample }) => <Example sample={sample} /> },
            ...(may('operator')
              ? [
                  {
                    title: 'Change',
                    cell: (group: Group) => (
                      <Button
                        size="compact-sm"
                        variant="default"
                        onClick={() => setChosen(wordsOf(group))}
                        aria-label={`Retry all of ${group.error_code} in ${group.name}`}
                      >
                        Retry all …
                      </Button>
                    ),
                  },
                ]
              : []),
          ]}
        />
      </Panel>
      {chosen !== undefined && (
        <PlanDialog action="retry" filter={{ q: chosen }} words={chosen} onClose={() => setChosen(undefined)} />
      )}
    </Page>
  )
}

const spanOf = (value: string | null) => failureRanges.find((span) => span === value)

const sparkWords = (counts: readonly number[], code: string): string => {
  const parts = counts.filter((count) => count > 0).length
  return `${code}: in ${parts} of ${plural(counts.length, 'part')} of the time, at most ${Math.max(...counts, 0)} in one`
}

const Example = ({ sample: [first] }: { readonly sample: Group['sample'] }) =>
  first && (
    <Link to="/tasks/$id" params={{ id: first.id }} title={first.message ?? undefined}>
      {first.message ?? first.id}
    </Link>
  )
