import type pg from 'pg'
import { queueNames } from '#libs/platform'
import { taskStates } from '#libs/tasks/contracts'
import { people } from '../../test/support/history.js'
import { insertKey } from '../../test/support/query.js'
import type { Stack } from '../../test/support/stack.js'
import type { Route } from './measure.js'

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

/** Routes that are no lists: one thing, a stream, a download, statistics, or a check of everything there is. */
const notLists = [
  /\/events$/,
  /\/result$/,
  /explanation$/,
  /verification$/,
  /results$/,
  /^\/v1\/(stats|session)\//,
  /scaling$/,
  /^\/(livez|readyz|startupz|metrics)$/,
  /\{(name|version)\}/,
]

/** Values of a query parameter: many fit, few, none. */
interface Values {
  readonly [parameter: string]: readonly string[]
}

/** Every list of the service with every combination of its query parameters, from the document of the api itself. */
export const collectRoutes = async (stack: Stack, client: pg.Client): Promise<readonly Route[]> => {
  const bound = await insertKey(stack.databaseUrl, { role: 'viewer', userId: people.busy })
  const one = async (sql: string): Promise<string> => {
    const { rows } = await client.query<{ id: string }>(sql)
    return rows[0]?.id ?? ''
  }
  const batch = await one('SELECT id FROM batches ORDER BY id OFFSET 20 LIMIT 1')
  const middle = await one('SELECT (max(id) / 2)::text AS id FROM predictions')
  const middleTask = await one(
    'SELECT task_id AS id FROM predictions WHERE id >= (SELECT max(id) / 2 FROM predictions) ORDER BY id LIMIT 1',
  )
  const webhook = await one('SELECT webhook_id AS id FROM webhook_deliveries LIMIT 1')
  const schedule = await one('SELECT id FROM schedules LIMIT 1')
  const lastTask = await one('SELECT id FROM tasks ORDER BY id OFFSET 20 LIMIT 1')
  const subjects = [people.busy, people.quiet, people.unknown].map(String)
  const search: Values = {
    name: ['ml.process_prediction', 'ml.health_check', 'nobody.knows', 'ml.*'],
    state: [...taskStates, 'failed,timed_out,queued'],
    queue: queueNames,
    worker: ['worker1@host10', 'rare@host', 'nobody'],
    since: ['15d'],
    until: ['15d'],
    user_id: subjects,
    prediction_id: [middle, '999999999'],
    batch_id: [batch],
    model: ['impairment-screen', 'caide@1.0.0', 'nobody@1'],
    error_code: ['TASK_FAILED', 'MODEL_INPUT_INVALID', 'NOBODY'],
    id: [middleTask, batch, middle],
    q: ['state:failed worker:rare@host'],
  }
  const valuesOf: Readonly<Record<string, Values>> = {
    '/v1/predictions': {
      user_id: subjects,
      state: taskStates,
      batch_id: [batch],
      cursor: [middle, '60'],
    },
    '/v1/tasks': { ...search, count: ['true'], cursor: [middleTask, lastTask] },
    '/v1/tasks/errors': { ...search, since: ['15d', '365d'] },
    '/v1/tasks/suggestions': { q: ['error:', 'worker:w', 'state:failed mod'] },
    '/v1/batches': { cursor: [batch] },
    '/v1/plans': { cursor: [lastTask] },
    '/v1/audit': {
      user_id: subjects,
      cursor: ['500', '150000'],
      action: [await one('SELECT action AS id FROM audit_log ORDER BY audit_log.id DESC LIMIT 1')],
      target: [await one('SELECT target AS id FROM audit_log ORDER BY audit_log.id DESC LIMIT 1'), 'nobody'],
      api_key_id: ['019a0000-0000-7000-8000-000000000000'],
      since: ['15d'],
      until: ['15d'],
    },
    '/v1/schedules': { cursor: ['schedule 5000'] },
    [`/v1/webhooks/${webhook}/deliveries`]: { state: ['pending', 'delivered', 'failed'], cursor: ['1000'] },
    [`/v1/users/${people.busy}/health-metrics`]: { cursor: [String(Date.now() - 9 * 86_400_000)] },
  }
  const ids: Readonly<Record<string, string>> = {
    '/v1/batches/{id}': batch,
    '/v1/predictions/{id}': middle,
    '/v1/tasks/{id}': middleTask,
    '/v1/webhooks/{id}': webhook,
    '/v1/webhooks/{id}/deliveries': webhook,
    '/v1/schedules/{id}': schedule,
  }
  const { body } = await stack.request('GET', '/openapi.json')
  const paths = Object.entries(body['paths'] as Record<string, { readonly get?: Operation }>)
  const routes: Route[] = []
  for (const [pattern, { get }] of paths) {
    if (!get || notLists.some((expression) => expression.test(pattern))) continue
    const path = pattern.replace('{id}', ids[pattern] ?? '').replace('{user_id}', String(people.busy))
    const known = valuesOf[path] ?? {}
    const names = (get.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name)
    const missing = names.filter((name) => name !== 'limit' && !(name in known))
    if (missing.length > 0) throw new Error(`${pattern}: no values for ${missing.join(', ')}`)
    for (const query of combine(
      names.filter((name) => name in known),
      known,
    )) {
      const full = query ? `${path}?${query}` : path
      routes.push({ path: full, key: stack.key, as: 'admin' })
      if (/^\/v1\/(predictions|tasks|batches|schedules|users)/.test(path))
        routes.push({ path: full, key: bound, as: 'bound' })
    }
  }
  const filters = [
    {},
    { state: 'failed' },
    { error_code: 'MODEL_INPUT_INVALID' },
    { queue: 'forecasts' },
    { worker: 'nobody' },
  ]
  const planned = [
    { action: 'retry', filter: {} },
    { action: 'retry', filter: { worker: 'nobody' } },
    { action: 'retry', filter: { user_id: people.busy, model: 'caide' } },
    { action: 'purge', filter: { queue: 'predictions' } },
    { action: 'revoke', filter: {} },
  ]
  return [
    ...routes,
    ...filters.map((filter): Route => ({
      path: '/v1/tasks/retry',
      key: stack.key,
      as: 'admin',
      method: 'POST',
      body: JSON.stringify({ filter, dry_run: true }),
    })),
    ...planned.map((plan): Route => ({
      path: '/v1/plans',
      key: stack.key,
      as: 'admin',
      method: 'POST',
      body: JSON.stringify(plan),
    })),
  ]
}

/** The query strings of no parameter, of each, and of each two with every value. */
const combine = (names: readonly string[], values: Values): readonly string[] => {
  const single = names.flatMap((name) => (values[name] ?? []).map((value) => ({ name, value })))
  const pairs = single.flatMap((a, index) =>
    single.slice(index + 1).flatMap((b) => (a.name === b.name ? [] : [[a, b]])),
  )
  const choices = [...single.map((one) => [one]), ...pairs]
  return [
    '',
    ...choices.map((chosen) =>
      new URLSearchParams(Object.fromEntries(chosen.map(({ name, value }) => [name, value]))).toString(),
    ),
  ]
}
