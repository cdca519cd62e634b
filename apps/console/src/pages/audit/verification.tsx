import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { api, type Schemas } from '../../api/client.ts'
import { formatCount, plural } from '../../format/numbers.ts'
import { Failure } from '../../ui/failure.tsx'
import { Notice } from '../../ui/notice.tsx'
import { Panel } from '../../ui/page.tsx'
import { Time } from '../../ui/time.tsx'

type Outcome = Schemas['AuditVerification']

/** What is wrong with the trail. */
const faultOf = ({ first_broken_id: broken, is_tail_there: hasTail, is_removal_due: isDue }: Outcome): string => {
  if (broken !== null)
    return `Entry ${broken} does not match the one before it: it was changed, or entries before it were removed.`
  if (!hasTail) return 'The newest entries are missing.'
  if (!isDue) return 'Entries were removed before their time.'
  return 'The checkpoint is not part of the trail.'
}

const Words = ({ outcome }: { readonly outcome: Outcome }) => {
  const { is_intact: isIntact, entries, last_removed_id: removed, head } = outcome
  const range = (
    <>
      {plural(entries, 'entry', 'entries')} checked, up to entry {formatCount(head.id)} of <Time at={head.at} />.
      {removed !== null && ` Entries up to ${formatCount(removed)} were removed for their age.`}
    </>
  )
  if (!isIntact) {
    return (
      <Notice kind="bad" title="The trail is broken">
        {faultOf(outcome)} {range} Keep a copy of the database as it is, and compare it with a backup.
      </Notice>
    )
  }
  return (
    <Notice kind="ok" title="The trail is intact">
      No entry was changed, removed or moved. {range} Someone who may write everything in the database can forge a whole
      chain: <code>memoryguard audit verify --checkpoint</code> keeps a proof outside of it.
    </Notice>
  )
}

/** Checks the chain of the entries, when asked: it reads the whole trail. */
export const Verification = () => {
  const check = useQuery({
    queryKey: ['audit verification'],
    queryFn: async ({ signal }) => (await api.GET('/v1/audit/verification', { signal })).data ?? null,
    enabled: false,
    gcTime: 0,
  })
  return (
    <Panel
      title="Proof"
      hint="Each entry holds a hash of the one before it. The check reads the whole trail."
      actions={
        <Button variant="default" loading={check.isFetching} onClick={() => void check.refetch()}>
          {check.data ? 'Check again' : 'Check the trail'}
        </Button>
      }
    >
      <div aria-live="polite">
        {check.isError && <Failure error={check.error} onRetry={() => void check.refetch()} />}
        {check.data ? <Words outcome={check.data} /> : !check.isError && 'Not checked on this page yet.'}
      </div>
    </Panel>
  )
}
