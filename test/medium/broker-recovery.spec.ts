import { queueNames } from '#libs/platform'
import { brokerOptions, queueSettings } from '#libs/tasks'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { describeOnBothBrokers } from '../support/brokers.js'
import { newPrediction } from '../support/new-prediction.js'
import { query } from '../support/query.js'
import { enqueueable, startTestBroker, taskIdsOf, type TestBroker } from '../support/test-broker.js'
import { waitFor } from '../support/wait-for.js'

/** Jobs that so many predictions travel in. */
const jobsOf = (tasks: number): number => Math.ceil(tasks / queueSettings.predictions.tasksPerJob)

/** A value of a person that must stand nowhere in the broker. */
const canary = 27.182818

describeOnBothBrokers('the broker, with what the database knows', (kind) => {
  let test: TestBroker

  beforeAll(async () => {
    test = await startTestBroker(kind)
  })
  afterEach(() => test.reset())
  afterAll(() => test.stop())

  const submit = async (count: number) => {
    const rows = Array.from({ length: count }, () => newPrediction({ healthMetrics: { mmse_score: canary } }))
    await test.predictions.submit(rows)
    return rows.map(({ taskId }) => taskId)
  }
  const age = (seconds: number) =>
    query(
      test.database.url,
      `UPDATE tasks SET created_at = created_at - make_interval(secs => $1), available_at = available_at - make_interval(secs => $1)`,
      [seconds],
    )

  it('is filled again after it lost everything, each task once, and holds no health data', async () => {
    const ids = await submit(120)
    await test.broker.add(ids.map((taskId) => enqueueable({ taskId })))
    await test.empty()
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: 0 })
    // A task that was stored a moment ago may just be on its way.
    const reconciler = test.createReconciler()
    expect(await reconciler.run(queueNames)).toBe(0)
    await age(10)
    expect(await reconciler.run(queueNames)).toBe(120)
    expect(await reconciler.run(queueNames)).toBe(0)
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: jobsOf(120) })
    const content = await test.dump()
    expect(content).toContain(ids[0])
    expect(content).not.toContain(String(canary))
    expect(content).not.toContain('mmse_score')
    const seen = test.consume()
    await waitFor(() => taskIdsOf(seen).length >= 120, { what: 'every job' })
    expect(taskIdsOf(seen).sort()).toEqual(ids.toSorted())
  })

  // In PostgreSQL there are no keys.
  if (kind === 'redis') {
    it.each(['wait', 'delayed', 'meta', 'marker'])(
      'B1: is not writable while the key %s is of another type, which the reconciler removes',
      async (name) => {
        const key = `{memoryguard:predictions}:predictions:${name}`
        const client = new Redis(test.redis?.url ?? '')
        await client.del(key)
        await client.set(key, 'junk')
        await expect(test.broker.assertWritable()).rejects.toThrow(`The key ${key} of the broker is of another type`)
        const [id = ''] = await submit(1)
        await age(10)
        expect(await test.createReconciler().run(queueNames)).toBe(1)
        await test.broker.assertWritable()
        const seen = test.consume()
        await waitFor(() => taskIdsOf(seen).includes(id), { what: 'the job' })
        await client.quit()
      },
    )
  }

  it('is given again a job that it lost behind others, once what came later has been taken', async () => {
    const [lost = ''] = await submit(1)
    await age(10)
    const [later = ''] = await submit(1)
    await test.broker.add([enqueueable({ taskId: later })])
    const reconciler = test.createReconciler()
    expect(await reconciler.run(queueNames)).toBe(1)
    expect(await reconciler.run(queueNames)).toBe(0)
    const seen = test.consume()
    await waitFor(() => seen.length === 2, { what: 'both jobs' })
    expect(taskIdsOf(seen)).toEqual([later, lost])
    // Both were taken and neither was started: the broker holds nothing, and the database decides.
    await age(10)
    expect(await reconciler.run(queueNames)).toBe(2)
  })

  it("B1: is given again what it holds in no list, and not what waits in it or is in a live worker's hands", async () => {
    const inHand = await submit(1)
    await age(10)
    await test.broker.addTogether(inHand.map((taskId) => enqueueable({ taskId })))
    let finish = () => undefined as void
    const finished = new Promise<void>((resolve) => (finish = resolve))
    let isTaken = false
    const holder = new Worker(
      'predictions',
      async () => {
        isTaken = true
        await finished
      },
      { ...brokerOptions(test.database.config, 'consumer', 'predictions'), concurrency: 1 },
    )
    test.consumers.push(holder)
    await waitFor(() => isTaken, { what: 'the job to be taken' })
    const [late = ''] = await submit(1)
    await age(10)
    // Its time has come, but the broker has it among the delayed ones.
    await test.broker.add([enqueueable({ taskId: late, delayMs: 3_600_000 })])
    const waiting = await submit(40)
    await test.broker.addTogether(waiting.map((taskId) => enqueueable({ taskId })))
    const reconciler = test.createReconciler()
    expect(await reconciler.run(queueNames)).toBe(1)
    expect(await reconciler.run(queueNames)).toBe(0)
    expect(await test.broker.depth('predictions')).toEqual({ waiting: 1 + jobsOf(40), active: 1, delayed: 0 })
    if (test.redis) {
      const client = new Redis(test.redis.url)
      await client.del('{memoryguard:predictions}:predictions:wait')
      await client.quit()
      await age(10)
      expect(await reconciler.run(queueNames)).toBe(41)
      expect(await reconciler.run(queueNames)).toBe(0)
    }
    finish()
    await holder.close()
    const seen = test.consume()
    await waitFor(() => taskIdsOf(seen).length >= 41, { what: 'every job' })
    expect(taskIdsOf(seen).sort()).toEqual([late, ...waiting].sort())
  })

  it('is not given again the urgent ones that wait in it, only those that it lost', async () => {
    const ids = await submit(20)
    await query(test.database.url, 'UPDATE tasks SET priority = 2')
    await age(10)
    const urgent = ids.map((taskId) => enqueueable({ taskId, priority: 2 }))
    await test.broker.add(urgent)
    const reconciler = test.createReconciler()
    expect(await reconciler.run(queueNames)).toBe(0)
    await test.broker.removeIfThere(urgent.slice(0, 1))
    expect(await reconciler.run(queueNames)).toBe(1)
    expect(await reconciler.run(queueNames)).toBe(0)
    expect(await test.broker.depth('predictions')).toMatchObject({ waiting: 20 })
  })

  it('gets the tasks of a silent worker again, as their next attempt', async () => {
    const [taskId = ''] = await submit(1)
    await test.tasks.claim([{ taskId, attempt: 1 }], 'gone', 60)
    await query(test.database.url, `UPDATE tasks SET lease_expires_at = now() - interval '1 second'`)
    expect(await test.createReconciler().run(queueNames)).toBe(1)
    const seen = test.consume()
    await waitFor(() => seen.length === 1, { what: 'the job' })
    expect(seen[0]?.data).toEqual({ task_ids: [taskId], attempt: 2 })
  })
})
