import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { useStack } from '../support/use-stack.js'
import { waitFor } from '../support/wait-for.js'

const unknownTask = '019a0000-0000-7000-8000-000000000000'
const whole = ['task.queued', 'task.running', 'task.succeeded']

describe('events on the command line', () => {
  const stack = useStack({ broker: 'postgres' })

  const predict = async (): Promise<string> => {
    const request = { user_id: 7, health_metrics: { mmse_score: 24, age: 72 } }
    return String((await stack.request('POST', '/v1/predictions', request)).body['task_id'])
  }
  const memoryguard = (...args: string[]) => {
    const child = spawn(process.execPath, [
      'dist/bin/memoryguard.js',
      ...args,
      '--url',
      stack.url,
      '--api-key',
      stack.key,
    ])
    const output = { text: '', errors: '' }
    child.stdout.on('data', (part: Buffer) => (output.text += part.toString()))
    child.stderr.on('data', (part: Buffer) => (output.errors += part.toString()))
    return { child, output, exited: once(child, 'exit').then(([code]) => Number(code)) }
  }

  it('are shown of one task to its end, or of all until it is stopped', async () => {
    const task = await predict()
    const one = memoryguard('events', task, '--json')
    expect(await one.exited).toBe(0)
    const lines = one.output.text.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(whole)
    const all = memoryguard('events', '--state', 'succeeded')
    await waitFor(
      async () => {
        await predict()
        return all.output.text.includes('succeeded')
      },
      { what: 'a line', intervalMs: 300 },
    )
    expect(all.output.text).toMatch(/^\d{4}-.*Z  succeeded  [0-9a-f-]{36}  ml.process_prediction$/m)
    all.child.kill('SIGTERM')
    await all.exited
  })

  it('come with webhooks, which are made, tried and removed', async () => {
    const run = async (...args: string[]) => {
      const { exited, output } = memoryguard('webhooks', ...args)
      return { code: await exited, ...output }
    }
    const made = await run('create', 'https://nobody.invalid/hook', '--events', 'task.failed', '--json')
    const { id, secret, events } = JSON.parse(made.text) as { id: string; secret: string; events: string[] }
    expect([made.code, events]).toEqual([0, ['task.failed']])
    const listed = await run('list')
    expect(listed.text).toBe(`${id}  on   https://nobody.invalid/hook  task.failed\n`)
    expect(listed.text).not.toContain(secret)
    expect((await run('test', id)).code).toBe(0)
    expect((await run('deliveries', id)).text).toMatch(/^.*Z  pending    webhook\.test  -  attempts \d/)
    expect(await run('delete', id)).toMatchObject({ code: 0, text: `${id} is removed.\n` })
    expect(await run('test', id)).toMatchObject({ code: 1, errors: 'Not found: There is no such webhook.\n' })
    expect(await run('create', 'https://10.0.0.1/')).toMatchObject({ code: 1, errors: expect.stringContaining('/url') })
  })

  it('say what is wrong, with exit code 1', async () => {
    const { exited, output } = memoryguard('events', unknownTask)
    expect([await exited, output.errors]).toEqual([1, 'Not found: There is no such task.\n'])
    const second = memoryguard('events', '--queue', 'celery')
    expect([await second.exited, second.output.errors]).toEqual([1, expect.stringContaining('/queue')])
  })
})
