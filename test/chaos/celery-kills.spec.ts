import { decodeMessage } from '#libs/celery'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CeleryCaller } from '../support/celery-caller.js'
import { query, queryNumber } from '../support/query.js'
import { randomFrom } from '../support/random-numbers.js'
import { quickRecovery, startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const callCount = 500
/** `mmse_score` of the slow model: some 60 ms of work for each row, so that processes die with work in hand. */
const work = 0.2
/** Change it to see other orders of events. */
const seed = 20_261_201

describe(`Celery callers, with workers and Redis killed at random (seed ${seed})`, () => {
  let caller: CeleryCaller
  let stack: Stack
  const random = randomFrom(seed)

  beforeAll(async () => {
    caller = await CeleryCaller.start()
    stack = await startStack({
      broker: 'postgres',
      workers: 2,
      testModels: true,
      env: { ...caller.env, ...quickRecovery, TASK_RETRY_DELAY_SECONDS: '1', DEFAULT_MODEL: 'slow' },
    })
  })
  afterAll(async () => {
    await stack.stop()
    await caller.stop()
  })

  const countWhere = (condition: string) =>
    queryNumber(stack.databaseUrl, `SELECT count(*)::int AS number FROM tasks WHERE ${condition}`)
  /** A task that three killed workers held ends as poison, by contract: those that have lost two end before another dies. */
  const killWorker = async () => {
    await waitFor(async () => (await countWhere('crashes >= 2 AND finished_at IS NULL')) === 0, {
      what: 'the end of tasks that have lost two workers',
      timeoutMs: 90_000,
    })
    const running = stack.workers.filter(({ isRunning }) => isRunning)
    await running[Math.floor(random() * running.length)]?.kill('SIGKILL')
    await stack.startWorker()
  }
  const killRedis = async () => {
    await caller.redis.kill()
    await caller.redis.restart()
  }
  /** One call, with a further one of another program's that follows from its result. */
  const send = (index: number) => {
    const options = { task_id: `note-${index}`, queue: 'notes' }
    return caller.call('ml.process_prediction', [index + 1, index + 1, { mmse_score: work }], {
      id: `call-${index}`,
      chain: [{ task: 'notes.keep', args: [], kwargs: {}, options }],
    })
  }

  it('none of 500 calls is lost or computed twice, every result is delivered, and what follows is published once', async () => {
    const indexes = Array.from({ length: callCount }, (_, index) => index)
    const events = [killWorker, killWorker, killWorker, killWorker, killWorker, killRedis, killRedis, killRedis]
      .map((event) => ({ event, order: random() }))
      .sort((a, b) => a.order - b.order)
    const disturb = async () => {
      for (const [index, { event }] of events.entries()) {
        const share = Math.floor((index * callCount) / events.length)
        await waitFor(async () => (await countWhere('finished_at IS NOT NULL')) >= share, {
          what: `${share} ends`,
          timeoutMs: 90_000,
        })
        await event()
      }
    }
    const sendAll = async () => {
      for (const index of indexes) await send(index)
    }
    await Promise.all([disturb(), sendAll()])

    const results = await Promise.all(indexes.map((index) => caller.result(`call-${index}`, 90_000)))
    expect(results.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
    expect(results.map(({ result }) => result['prediction_id'])).toEqual(indexes.map((index) => index + 1))

    const [stored] = await query<{ calls: number; tasks: number; predictions: number; successes: number }>(
      stack.databaseUrl,
      `SELECT (SELECT count(*)::int FROM celery_calls) AS calls, (SELECT count(*)::int FROM tasks) AS tasks,
         (SELECT count(*)::int FROM predictions) AS predictions,
         (SELECT count(*)::int FROM task_attempts WHERE outcome = 'succeeded') AS successes`,
    )
    expect(stored).toEqual({ calls: callCount, tasks: callCount, predictions: callCount, successes: callCount })
    // The disturbance was one: work was lost and done again.
    expect(await countWhere('crashes > 0')).toBeGreaterThan(0)

    const notes = await waitFor(
      async () => {
        const raws = await caller.broker.lrange('notes', 0, -1)
        return raws.length >= callCount && raws
      },
      { what: 'what follows from every call' },
    )
    const ids = notes.map((raw) => decodeMessage(raw, 'notes').heading.id)
    expect(ids.toSorted()).toEqual(indexes.map((index) => `note-${index}`).toSorted())
    await waitFor(async () => (await caller.broker.hlen('unacked')) === 0, { what: 'every message to be acknowledged' })
  })
})
