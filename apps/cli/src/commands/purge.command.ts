import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import type { RestClient } from '../client/rest-client.js'
import { CommandError } from '../command-error.js'
import { confirm } from '../confirm.js'
import { callsApi, path } from './api-command.js'

interface PurgeFlags {
  readonly queues?: string
  readonly dryRun?: true
  readonly yes?: true
}

/** A plan of the API, of the tasks that wait in a queue. */
interface Plan {
  readonly id: string
  readonly state: string
  readonly count: number
  readonly count_is_capped: boolean
  readonly done: number
  readonly skipped: number
  readonly failed: number
}

interface PlannedQueue {
  readonly queue: string
  readonly plan: Plan
}

/** How often the progress of a plan is read, in milliseconds. */
const pollMs = 300

/**
 * `memoryguard purge`: cancels what waits in queues, as `celery purge` does. It counts first, and asks unless `--yes` is
 * given; then it cancels exactly the tasks that were counted.
 */
export const purgeCommand = (): Command =>
  callsApi(
    new Command('purge')
      .description('count the tasks that have not started, and cancel them')
      .option('-Q, --queues <list>', 'only these queues, separated by commas')
      .option('-n, --dry-run', 'only count')
      .option('-y, --yes', 'do not ask'),
    async (client, _, { queues: list, dryRun, yes }: PurgeFlags) => {
      const { queueNames } = await import('#libs/platform')
      const queues = list?.split(',').map((name) => name.trim()) ?? queueNames
      const planned: PlannedQueue[] = []
      for (const queue of new Set(queues)) planned.push({ queue, plan: await makePlan(client, queue) })
      if (dryRun) return shown(planned, ({ count, count_is_capped: isCapped }) => `${number(count, isCapped)} waiting`)
      const waiting = planned.filter(({ plan }) => plan.count > 0)
      if (!yes && waiting.length > 0) await confirm(questionOf(waiting), 'Nothing was cancelled.')
      const ended: PlannedQueue[] = []
      for (const { queue, plan } of planned) {
        ended.push({ queue, plan: plan.count > 0 ? await runPlan(client, plan.id) : plan })
      }
      const failed = ended.reduce((sum, { plan }) => sum + plan.failed, 0)
      if (failed > 0) throw new CommandError(`${failed} tasks were not cancelled; see the log of the api. Purge again.`)
      return { ...shown(ended, outcomeOf), json: mapOf(ended, ({ done }) => done) }
    },
  )

const makePlan = async (client: RestClient, queue: string): Promise<Plan> => {
  const { body } = await client.send({
    method: 'POST',
    path: '/v1/plans',
    body: { action: 'purge', filter: { queue } },
  })
  return body as Plan
}

/** Has a plan run, and waits for its end. */
const runPlan = async (client: RestClient, id: string): Promise<Plan> => {
  let plan = (await client.send({ method: 'POST', path: path`/v1/plans/${id}/run` })).body as Plan
  while (plan.state !== 'finished') {
    await pause(pollMs)
    plan = (await client.send({ method: 'GET', path: path`/v1/plans/${id}` })).body as Plan
  }
  return plan
}

const number = (count: number, isCapped: boolean): string => `${count}${isCapped ? ' or more' : ''}`

const questionOf = (planned: readonly PlannedQueue[]): string => {
  const total = planned.reduce((sum, { plan }) => sum + plan.count, 0)
  const parts = planned.map(({ queue, plan }) => `${queue} ${number(plan.count, plan.count_is_capped)}`)
  return `Cancel ${total} waiting ${total === 1 ? 'task' : 'tasks'} (${parts.join(', ')})?`
}

const outcomeOf = ({ done, skipped, count_is_capped: isCapped }: Plan): string =>
  [
    `${done} cancelled`,
    ...(skipped > 0 ? [`${skipped} had started or ended meanwhile`] : []),
    ...(isCapped ? ['more are waiting: purge again'] : []),
  ].join(', ')

const mapOf = (planned: readonly PlannedQueue[], valueOf: (plan: Plan) => number): Record<string, number> =>
  Object.fromEntries(planned.map(({ queue, plan }) => [queue, valueOf(plan)]))

const shown = (planned: readonly PlannedQueue[], textOf: (plan: Plan) => string) => ({
  json: mapOf(planned, ({ count }) => count),
  lines: planned.map(({ queue, plan }) => `${queue}: ${textOf(plan)}`),
})
