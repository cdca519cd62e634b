import { Button, TextInput } from '@mantine/core'
import { getRouteApi, Link, Navigate } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import { query } from '../../../api/client.ts'
import { livePeriod } from '../../../api/query-client.ts'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { Pager } from '../../../ui/pager.tsx'
import { parsePerson } from '../person.ts'
import { PredictionTable } from './prediction-table.tsx'
import classes from './people.module.css'

const route = getRouteApi('/people')

/** Opens a person by number, and shows what was predicted last, of anybody. */
export const PeoplePage = () => {
  const { me } = useSession()
  if (me.user_id !== null) return <Navigate to="/people/$userId" params={{ userId: String(me.user_id) }} replace />
  return (
    <Page title="People" lead="People are known by their number alone.">
      <OpenPerson />
      <RecentPredictions />
    </Page>
  )
}

const OpenPerson = () => {
  const navigate = route.useNavigate()
  const [text, setText] = useState('')
  const [isWrong, setWrong] = useState(false)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const userId = parsePerson(text)
    setWrong(userId === undefined)
    if (userId !== undefined) void navigate({ to: '/people/$userId', params: { userId: String(userId) } })
  }
  return (
    <Panel>
      <form onSubmit={submit} noValidate className={classes.openPerson}>
        <TextInput
          label="Person number"
          inputMode="numeric"
          autoComplete="off"
          value={text}
          onChange={(event) => (setText(event.currentTarget.value), setWrong(false))}
          error={isWrong && 'Enter a whole number above 0.'}
        />
        <Button type="submit">Open</Button>
      </form>
    </Panel>
  )
}

const RecentPredictions = () => {
  const { may } = useSession()
  const { cursor } = route.useSearch()
  const navigate = route.useNavigate()
  const page = query.useQuery(
    'get',
    '/v1/predictions',
    { params: { query: { limit: 25, ...(cursor !== undefined && { cursor }) } } },
    { refetchInterval: cursor === undefined && livePeriod.slow },
  )
  return (
    <Panel title="Recent predictions" isFlush>
      <PredictionTable
        page={page}
        withPerson
        empty={
          <Empty
            title="Nothing has been predicted yet"
            action={may('submitter') && <Link to="/predict">Make the first prediction</Link>}
          />
        }
      />
      <Pager
        cursor={cursor}
        nextCursor={page.data?.next_cursor}
        onMove={(next) => void navigate({ search: { cursor: next } })}
      />
    </Panel>
  )
}
