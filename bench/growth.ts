/**
 * How long every list, filter, count and statistic takes on a long history, and what a prediction costs there and, in turns
 * with it, in an empty database.
 *
 *   npm run bench:growth -- [--predictions 10000000] [--tasks 1000000] [--rounds 20] [--lists REGEX]
 *
 * `--lists` measures only those whose method, path and query fit, such as '^GET /v1/tasks[^&]*$'.
 * Ends with 1 if a figure misses its bar.
 */
import { parseArgs } from 'node:util'
import pg from 'pg'
import { fillHistory } from '../test/support/history.js'
import { startStack, type Stack } from '../test/support/stack.js'
import { measureChores, measureErasure } from './growth/chores.js'
import { collectRoutes } from './growth/routes.js'
import { measure, measureTogether, printTable, type Figure } from './growth/measure.js'
import { measureWrites } from './growth/writes.js'

const { values } = parseArgs({
  options: {
    predictions: { type: 'string', default: '10000000' },
    tasks: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '20' },
    lists: { type: 'string', default: '' },
    requests: { type: 'string', default: '10000' },
  },
})
const rounds = Number(values.rounds)
/** How often the cost of a prediction is measured in each database. */
const turns = 3
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const start = (workers: number) =>
  startStack({ broker: 'redis', workers, logs: 'ignore', env: { RESULT_TTL_SECONDS: '0' } })
const stack = await start(0)
let empty: Stack | undefined
const client = new pg.Client(stack.databaseUrl)
await client.connect()
const figures: Figure[] = []
try {
  // A list with a parameter that has no values here shows before the long part.
  await collectRoutes(stack, client)
  await fillHistory(client, { predictions: Number(values.predictions), tasks: Number(values.tasks) }, say)
  const wanted = new RegExp(values.lists)
  const routes = (await collectRoutes(stack, client)).filter(({ method = 'GET', path }) =>
    wanted.test(`${method} ${path}`),
  )
  for (const [index, route] of routes.entries()) {
    figures.push(await measure(stack.url, route, rounds))
    if (index % 50 === 0) say(`measured ${index + 1} of ${routes.length} lists`)
  }
  const lists = figures.filter(({ barMs }) => barMs !== undefined).map(({ route }) => route)
  figures.push(await measureTogether(stack.url, lists, 40))
  figures.push(...(await measureChores(stack.databaseUrl)))
  await stack.startWorker()
  empty = await start(1)
  const [filled, fresh] = await measureWrites([stack, empty], Number(values.requests), turns)
  say(`predictions, empty: ${JSON.stringify(fresh)}`)
  say(`predictions, filled: ${JSON.stringify(filled)}`)
  figures.push(...(await measureErasure(stack)))
} finally {
  await client.end()
  await stack.stop()
  await empty?.stop()
}
process.exitCode = printTable(figures, say) ? 0 : 1
