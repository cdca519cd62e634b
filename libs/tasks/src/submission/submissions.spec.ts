import type { EnqueueableTask, StoredSubmission } from '#libs/database'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ExpectedEnd } from '../finished-tasks.js'
import { Submissions } from './submissions.js'

const task: EnqueueableTask = { taskId: 'a', attempt: 1, name: 'ml.t', queue: 'batch', priority: 0, delayMs: 0 }
const fresh: StoredSubmission = { taskId: 'a', isNew: true, tasks: [task] }
const known: StoredSubmission = { taskId: 'b', isNew: false, tasks: [], hash: 'first' }
const row = { taskId: 'a', idempotency: { scope: 'me', key: 'k', hash: 'first' } }

describe('a submission', () => {
  const happened: string[] = []
  let expected: ExpectedEnd
  const forget = vi.fn<() => void>()
  const [repository, enqueuer, finished] = [
    { makeDurable: async () => void happened.push('flushed') },
    { enqueue: async ({ taskId }: EnqueueableTask) => void happened.push(`enqueued ${taskId}`) },
    {
      expect: () => expected,
      wait: async (taskId: string) => {
        happened.push(`waited for ${taskId}`)
        return true
      },
    },
  ]
  const parts = [repository, enqueuer, finished] as unknown as ConstructorParameters<typeof Submissions>
  const submissions = new Submissions(...parts)
  const storing = (stored: StoredSubmission) => async () => {
    happened.push('stored')
    return stored
  }

  beforeEach(() => {
    happened.length = 0
    forget.mockClear()
    expected = new ExpectedEnd(forget)
  })

  it('is stored, then enqueued, and is durable before its caller goes on', async () => {
    const { stored, hasEnded } = await submissions.submit(storing({ ...fresh, commitsSoon: true }), row)
    expect([stored.taskId, hasEnded]).toEqual(['a', false])
    expect(happened).toEqual(['stored', 'enqueued a', 'flushed'])
  })

  it('is waited for until its end, its time or its caller is over', async () => {
    const ending = async () => {
      expected.notify()
      return fresh
    }
    expect((await submissions.submit(ending, row, 60)).hasEnded).toBe(true)
    expected = new ExpectedEnd(forget)
    expect((await submissions.submit(storing(fresh), row, 0.01)).hasEnded).toBe(false)
    expect((await submissions.submit(storing(fresh), row, 60, AbortSignal.abort())).hasEnded).toBe(false)
    expect(forget).toHaveBeenCalledTimes(3)
  })

  it('that was stored before is not enqueued again, and is waited for by the id of the first', async () => {
    const { stored, hasEnded } = await submissions.submit(storing(known), row, 60)
    expect([stored.taskId, hasEnded]).toEqual(['b', true])
    expect(happened).toEqual(['stored', 'waited for b'])
  })

  it('with a key that was used with another request is rejected', async () => {
    const other = { ...row, idempotency: { ...row.idempotency, hash: 'second' } }
    await expect(submissions.submit(storing(known), other, 60)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    })
    expect(happened).toEqual(['stored'])
    expect(forget).toHaveBeenCalledTimes(1)
  })
})
