import { parseArgs } from 'node:util'
import pg from 'pg'
import { startStack } from '../test/support/stack.js'
import { fill } from './growth/fill.js'
const { values } = parseArgs({
  options: { predictions: { type: 'string', default: '10000000' }, tasks: { type: 'string', default: '1000000' } },
})
const stack = await startStack({ broker: 'postgres', workers: 0, logs: 'ignore' })
console.log(stack.databaseUrl, stack.url)
const client = new pg.Client(stack.databaseUrl)
await client.connect()
await fill(client, { predictions: Number(values.predictions), tasks: Number(values.tasks) }, (l) => console.log(l))
console.log('filled')
await new Promise((r) => process.once('SIGTERM', r))
await client.end()
await stack.stop()
