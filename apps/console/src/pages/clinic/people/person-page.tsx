import { Button, Tabs } from '@mantine/core'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useSession } from '../../../session/session.tsx'
import { Empty } from '../../../ui/empty.tsx'
import { Notice } from '../../../ui/notice.tsx'
import { Page, Panel } from '../../../ui/page.tsx'
import { parsePerson } from '../person.ts'
import { ErasePerson } from './erase-person.tsx'
import { ForecastTab } from './forecast-tab.tsx'
import { Measurements } from './measurements.tsx'
import { PersonPredictions } from './person-predictions.tsx'
import classes from './people.module.css'

const route = getRouteApi('/people/$userId')

/** Everything of one person: what was predicted, what was measured, and what is to be expected. */
export const PersonPage = () => {
  const { userId: text } = route.useParams()
  const { me } = useSession()
  const userId = parsePerson(text)
  if (userId === undefined) {
    return (
      <Page title="Person">
        <Panel>
          <Empty title="This is no person's number" action={<Link to="/people">Go to the people</Link>}>
            A number is whole and above 0.
          </Empty>
        </Panel>
      </Page>
    )
  }
  if (me.user_id !== null && me.user_id !== userId) {
    return (
      <Page title="Another person">
        <Notice
          kind="bad"
          title="Your key is for one person"
          action={
            <Link to="/people/$userId" params={{ userId: String(me.user_id) }}>
              Open person {me.user_id}
            </Link>
          }
        >
          It does not reach the data of others.
        </Notice>
      </Page>
    )
  }
  return <Person key={userId} userId={userId} />
}

const Person = ({ userId }: { readonly userId: number }) => {
  const { me, may } = useSession()
  const { tab = 'predictions' } = route.useSearch()
  const navigate = route.useNavigate()
  const [isErasing, setErasing] = useState(false)
  // As the API does: an operator, or who holds the key of this person.
  const mayErase = may('operator') || (me.user_id === userId && may('submitter'))
  return (
    <Page
      title={`Person ${userId}`}
      actions={
        <>
          {may('submitter') && (
            <Button renderRoot={(props) => <Link {...props} to="/predict" search={{ person: String(userId) }} />}>
              Predict
            </Button>
          )}
          {mayErase && (
            <Button variant="default" onClick={() => setErasing(true)}>
              Erase this person
            </Button>
          )}
        </>
      }
    >
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(next) => void navigate({ search: { tab: next as typeof tab }, replace: true })}
      >
        <Tabs.List>
          <Tabs.Tab value="predictions">Predictions</Tabs.Tab>
          <Tabs.Tab value="measurements">Measurements</Tabs.Tab>
          <Tabs.Tab value="forecast">Forecast</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="predictions" className={classes.body}>
          <PersonPredictions userId={userId} />
        </Tabs.Panel>
        <Tabs.Panel value="measurements" className={classes.body}>
          <Measurements userId={userId} />
        </Tabs.Panel>
        <Tabs.Panel value="forecast" className={classes.body}>
          <ForecastTab userId={userId} />
        </Tabs.Panel>
      </Tabs>
      {isErasing && <ErasePerson userId={userId} onClose={() => setErasing(false)} />}
    </Page>
  )
}
