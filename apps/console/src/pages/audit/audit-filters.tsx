import { Autocomplete, Button, Select, TextInput } from '@mantine/core'
import { useState, type FormEvent } from 'react'
import classes from './audit.module.css'

/** Actions that entries have; others can be typed. */
const actions = [
  ...['api_key.create', 'api_key.revoke', 'audit.expire', 'batch.cancel', 'measurement.delete'],
  ...['model.activate', 'model.rollback', 'model.shadow', 'model.stop_shadow', 'oidc.first_use'],
  ...['people.read', 'person.read', 'plan.create', 'plan.finish', 'plan.run', 'queue.pause', 'queue.purge'],
  ...['queue.resume', 'request.reject', 'schedule.create', 'schedule.delete', 'schedule.run', 'schedule.stop'],
  ...['schedule.update', 'session.create', 'session.end', 'session_link.create', 'task.forget', 'task.retry'],
  ...['task.revoke', 'user.erase', 'user.erase_begin', 'webhook.create', 'webhook.delete', 'webhook.disable'],
]

/** What entries are searched by. Times are ISO 8601, as in the address. */
export interface AuditSearch {
  readonly action?: string | undefined
  readonly target?: string | undefined
  readonly key?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
}

interface AuditFiltersProps {
  readonly search: AuditSearch
  readonly names: ReadonlyMap<string, string>
  readonly onSearch: (search: AuditSearch) => void
}

/** The value of a field for local times, of an ISO time. */
const toLocal = (iso: string | undefined): string => {
  if (iso === undefined) return ''
  const at = new Date(iso)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

const toIso = (local: string): string | undefined => (local === '' ? undefined : new Date(local).toISOString())

const orNothing = (typed: string): string | undefined => typed.trim() || undefined

/** Searches the trail. */
export const AuditFilters = ({ search, names, onSearch }: AuditFiltersProps) => {
  const [action, setAction] = useState(search.action ?? '')
  const [target, setTarget] = useState(search.target ?? '')
  const [key, setKey] = useState(search.key ?? null)
  const [from, setFrom] = useState(toLocal(search.from))
  const [to, setTo] = useState(toLocal(search.to))
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSearch({
      action: orNothing(action),
      target: orNothing(target),
      key: key ?? undefined,
      from: toIso(from),
      to: toIso(to),
    })
  }
  const ids = new Set([...names.keys(), ...(key === null ? [] : [key])])
  const keys = [...ids].map((id) => ({ value: id, label: `${names.get(id) ?? 'a caller by OIDC'} (${id.slice(-6)})` }))
  return (
    <form onSubmit={submit}>
      <div className={classes.filters}>
        <Autocomplete label="Action" data={actions} value={action} onChange={setAction} />
        <TextInput
          label="Target"
          value={target}
          onChange={(event) => setTarget(event.currentTarget.value)}

          placeholder="as the entry has it"
        />
        <Select
          label="Key"
          data={keys}
          value={key}
          onChange={setKey}
          searchable
          clearable
          clearButtonProps={{ 'aria-label': 'Any key' }}
          placeholder="any"
        />
        <TextInput
          label="From"
          type="datetime-local"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          label="Until"
          type="datetime-local"
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit">Search</Button>
      </div>
    </form>
  )
}
