import { Code } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useEffect, type ReactNode } from 'react'
import { basePath, query } from '../../api/client.ts'
import { useSession, type Role } from '../../session/session.tsx'
import { Copy } from '../../ui/copy.tsx'
import { Page, Panel } from '../../ui/page.tsx'
import { useModel } from '../clinic/models.ts'
import { Estimate } from '../clinic/result/estimate.tsx'
import { rememberWelcome } from './welcomed.ts'
import classes from './welcome-page.module.css'

interface Step {
  readonly title: string
  readonly text: ReactNode
  readonly role: Role
}

const callOf = (origin: string) =>
  `curl ${origin}/v1/predictions -H 'Authorization: Bearer mg_...' -H 'Content-Type: application/json' -H 'Prefer: wait=20' -d '{"user_id": 123, "health_metrics": {"mmse_score": 24, "age": 72}}'`

const stepsOf = (origin: string): readonly Step[] => [
  {
    title: 'Predict for one person',
    role: 'submitter',
    text: (
      <>
        <Link to="/predict">The form</Link> asks for what the model takes, and nothing has to be known. With measured
        scores, <Link to="/people">a person&apos;s page</Link> forecasts how they may go on.
      </>
    ),
  },
  {
    title: 'See how the service stands',
    role: 'viewer',
    text: (
      <>
        <Link to="/overview">The overview</Link> says what is wrong now and what to do about it, and how the last 15
        minutes to 90 days went. <Link to="/tasks">Tasks</Link> finds each piece of work,{' '}
        <Link to="/workers">workers</Link> who does it.
      </>
    ),
  },
  {
    title: 'Call it from a program',
    role: 'submitter',
    text: (
      <>
        <div className={classes.call}>
          <Code block className={classes.code}>
            {callOf(origin)}
          </Code>
          <Copy text={callOf(origin)} label="Copy the call" />
        </div>
        <a href={`${basePath}/docs`} target="_blank" rel="noreferrer">
          The API&apos;s documentation
        </a>{' '}
        has every route, to try out.
      </>
    ),
  },
]

/** The newest prediction, whose result is worth a look. */
const Example = () => {
  const { data } = query.useQuery('get', '/v1/predictions', { params: { query: { limit: 1 } } })
  const prediction = data?.items[0]
  const model = useModel(prediction?.model)
  if (prediction?.state !== 'succeeded' || !model.data) return undefined
  return (
    <>
      <h2 className={classes.example}>
        A first result: person {prediction.user_id}{' '}
        <Link to="/predictions/$id" params={{ id: String(prediction.id) }}>
          Why, and by which model
        </Link>
      </h2>
      <Estimate prediction={prediction} model={model.data} />
      <p className={classes.disclaimer}>{prediction.disclaimer}</p>
    </>
  )
}

/** What somebody sees who opens the console for the first time: the example, and what there is to do next. */
export const WelcomePage = () => {
  const { may } = useSession()
  useEffect(rememberWelcome, [])
  return (
    <Page
      title="Welcome to MemoryGuard"
      lead="It computes the risk of dementia from health metrics, explains it, and forecasts how cognition may go on. Decision support, not diagnosis."
      isNarrow
    >
      <Example />
      <Panel title="A two-minute tour">
        <ol className={classes.steps}>
          {stepsOf(new URL(document.baseURI).href.replace(/\/$/, ''))
            .filter(({ role }) => may(role))
            .map(({ title, text }) => (
              <li key={title} className={classes.step}>
                <h3>{title}</h3>
                <div>{text}</div>
              </li>
            ))}
        </ol>
      </Panel>
    </Page>
  )
}
