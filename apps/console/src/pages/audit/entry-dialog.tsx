import { Stack } from '@mantine/core'
import { query } from '../../api/client.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Empty } from '../../ui/empty.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Failure } from '../../ui/failure.tsx'
import { Json } from '../../ui/json.tsx'
import { Loading } from '../../ui/loading.tsx'
import { Time } from '../../ui/time.tsx'

interface EntryDialogProps {
  readonly id: number
  readonly names: ReadonlyMap<string, string>
  readonly onClose: () => void
}

/** One entry of the trail, whole. */
export const EntryDialog = ({ id, names, onClose }: EntryDialogProps) => {
  // A page holds the entries below its cursor.
  const { data, error } = query.useQuery('get', '/v1/audit', {
    params: { query: { cursor: String(id + 1), limit: 1 } },
  })
  const entry = data?.items.find((each) => each.id === id)
  return (
    <Dialog onClose={onClose} size="lg" title={`Entry ${id}`}>
      {error && <Failure error={error} />}
      {!error && !data && <Loading lines={6} />}
      {data && !entry && <Empty title="There is no such entry">It may have been removed for its age.</Empty>}
      {entry && (
        <Stack gap="md">
          <Facts
            of={[
              [
                'Who',
                entry.api_key_id === null ? 'nobody with a key' : (names.get(entry.api_key_id) ?? 'a caller by OIDC'),
              ],
              ['Key or caller', entry.api_key_id === null ? undefined : <code>{entry.api_key_id}</code>],
              ['What', <code>{entry.action}</code>],
              ['Target', <code>{entry.target}</code>],
              ['When', <Time at={entry.at} />],
              ['Request', entry.request_id === null ? undefined : <code>{entry.request_id}</code>],
            ]}
          />
          <Json value={entry.details} label="Details" />
        </Stack>
      )}
    </Dialog>
  )
}
