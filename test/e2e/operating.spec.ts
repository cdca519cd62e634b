import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseLogLines, type LogLine } from '../support/log-lines.js'
import { query } from '../support/query.js'
import { hasRedis } from '../support/redis-server.js'
import { main, runCommand } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

describe.runIf(hasRedis())('what an operator sees', () => {
  let stack: Stack
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-operating-'))
    stack = await startStack({ broker: 'redis', logs: 'keep', env: { LOG_LEVEL: 'info', MEMORYGUARD_HOME: folder } })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(folder, { recursive: true })
  })

  const userEnv = () => ({ PATH: process.env['PATH'], MEMORYGUARD_HOME: folder, MEMORYGUARD_API_KEY: stack.key })
  const run = (...args: readonly string[]) => runCommand([...args, '--url', stack.url], userEnv())
  const lineOf = (find: (line: LogLine) => boolean) =>
    waitFor(() => parseLogLines(stack.readLogs()).find(find), { what: 'the line of the log' })

  describe('E5: in the log', () => {
    it('a request_id leads to the request that was rejected, and to the task of one that was accepted', async () => {
      const refused = await stack.request('POST', '/v1/predictions', {
        user_id: 1,
        health_metrics: { canary_metric: 7 },
      })
      expect(await lineOf((line) => line['request_id'] === refused.body['request_id'])).toMatchObject({
        msg: 'request rejected',
        method: 'POST',
        route: '/v1/predictions',
        status: 422,
        code: refused.body['code'],
      })
      const { status, body, headers } = await stack.request('POST', '/v1/predictions', {
        user_id: 1,
        health_metrics: { mmse_score: 24, age: 72 },
      })
      expect(status).toBe(202)
      const id = headers.get('x-request-id')
      expect(await lineOf((line) => line['request_id'] === id)).toMatchObject({
        msg: 'request accepted',
        task: body['task_id'],
        location: `/v1/predictions/${String(body['id'])}`,
      })
      const finished = await lineOf((line) => line['task'] === body['task_id'] && line['msg'] === 'task finished')
      expect(finished).toMatchObject({
        level: 'info',
        service: 'worker',
        worker: 'worker1@test',
        name: 'ml.process_prediction',
        queue: 'predictions',
        state: 'succeeded',
        attempt: 1,
        prediction: body['id'],
        wait_ms: expect.any(Number) as number,
        duration_ms: expect.any(Number) as number,
      })
    })

    it.each([
      ['/v1/predictions', { user_id: 1, health_metrics: { age: 72 } }, 'task'],
      ['/v1/batches', { items: [{ user_id: 1, health_metrics: { age: 72 } }] }, 'batch'],
      ['/v1/tasks', { name: 'ml.health_check' }, 'task'],
      ['/v1/predictions/1/explanation', undefined, 'task'],
      ['/v1/users/1/forecasts', undefined, 'task'],
    ])(
      'a request to %s and its work are joined by one id, also if it waits for the end',
      async (path, sent, member) => {
        if (path.includes('forecasts')) {
          const measured = { recorded_at: '2025-03-01', health_metrics: { mmse_score: 27, age: 72 } }
          expect((await stack.request('POST', '/v1/users/1/health-metrics', measured)).status).toBe(201)
        }
        const { status, body, headers } = await stack.request('POST', path, sent, { prefer: 'wait=20' })
        expect(status).toBe(200)
        const id = headers.get('x-request-id')
        const accepted = await lineOf((line) => line['request_id'] === id)
        expect(accepted).toMatchObject({ msg: 'request accepted', task: body['task_id'] })
        await lineOf((line) => line['msg'] === 'task finished' && line[member] === accepted['task'])
      },
    )

    it('what an operator changes and what ends without running have lines, which a request_id leads to', async () => {
      const waiting = { name: 'ml.health_check', countdown: 600 }
      const { body } = await stack.request('POST', '/v1/tasks', waiting)
      const changes: readonly [method: string, path: string, route: string][] = [
        ['POST', `/v1/tasks/${String(body['id'])}/revoke`, '/v1/tasks/:id/revoke'],
        ['POST', '/v1/queues/explanations/pause', '/v1/queues/:queue/pause'],
        ['POST', '/v1/queues/explanations/resume', '/v1/queues/:queue/resume'],
        ['DELETE', '/v1/users/987654321', '/v1/users/:'],
      ]
      expect((await stack.request('POST', '/v1/queues/batch/pause')).status).toBe(200)
      const late = await stack.request('POST', '/v1/tasks', { name: 'ml.health_check', queue: 'batch', expires: 1 })
      expect(late.status).toBe(202)
      for (const [method, path, route] of changes) {
        const { status, headers } = await stack.request(method, path)
        const id = headers.get('x-request-id')
        const line = await lineOf((each) => each['request_id'] === id)
        expect(line, path).toMatchObject({ level: 'info', msg: 'request accepted', method, status })
        expect(String(line['route'])).toContain(route)
      }
      const target = await lineOf((line) => line['target'] === body['id'])
      expect(target).toMatchObject({ route: '/v1/tasks/:id/revoke' })
      const ended = await lineOf((line) => line['task'] === body['id'] && line['msg'] === 'task finished')
      expect(ended).toMatchObject({ service: 'api', state: 'cancelled', queue: expect.any(String) })
      const expired = await lineOf((line) => line['task'] === late.body['id'] && line['msg'] === 'task finished')
      expect(expired).toMatchObject({ service: 'worker', state: 'expired' })
      expect((await stack.request('POST', '/v1/queues/batch/resume')).status).toBe(200)
      expect(stack.readLogs()).not.toContain('987654321')
    })

    it('B10: a worker whose broker is out of order says so once, and stops at once', async () => {
      const name = 'lonely@test'
      const ofWorker = () => parseLogLines(stack.readLogs()).filter((line) => line['worker'] === name)
      const env = { BROKER_URL: 'redis://127.0.0.1:1', WORKER_NAME: name, WORKER_HEALTH_PORT: '0' }
      const worker = stack.run('worker', env)
      await waitFor(() => ofWorker().some(({ msg }) => msg === 'started, not ready'), { what: 'the worker' })
      await waitFor(() => ofWorker().some(({ msg }) => msg === 'broker unavailable'), { what: 'the reason' })
      const since = performance.now()
      expect(await worker.kill('SIGTERM')).toBe(0)
      expect(performance.now() - since).toBeLessThan(5_000)
      expect(ofWorker().filter(({ msg }) => msg === 'broker unavailable')).toHaveLength(1)
      await query(stack.databaseUrl, 'DELETE FROM workers WHERE name = $1', [name])
    })

    it('much work is summed up', async () => {
      const items = Array.from({ length: 300 }, (_, index) => ({
        user_id: index + 1,
        health_metrics: { mmse_score: 24 },
      }))
      const sent = items.map((item) => stack.request('POST', '/v1/predictions', item))
      expect((await Promise.all(sent)).every(({ status }) => status === 202)).toBe(true)
      await lineOf(({ msg, leftOut }) => msg === 'further tasks finished within a second' && Number(leftOut) > 0)
    })
  })

  describe('E5: by the command line', () => {
    const call = (...args: readonly string[]) =>
      run('call', 'ml.health_check', '--json', ...args).then(({ out }) => JSON.parse(out) as { id: string })

    it('a result that is none has an exit code of its own, which --help lists', async () => {
      const { id: cancelled } = await call('--countdown', '600')
      expect((await run('result', cancelled)).code).toBe(0)
      expect((await run('result', cancelled, '--wait', '0.1')).code).toBe(7)
      await run('control', 'revoke', cancelled)
      expect(await run('result', cancelled)).toMatchObject({
        code: 5,
        out: expect.stringMatching(/^cancelled\n/) as string,
      })
      const ends = { succeeded: 0, failed: 3, timed_out: 4, expired: 6 }
      for (const [state, code] of Object.entries(ends)) {
        const { id } = await call('--wait', '20').then(async () => call('--countdown', '600'))
        await query(stack.databaseUrl, 'UPDATE tasks SET state = $2, finished_at = now() WHERE id = $1', [id, state])
        expect([state, (await run('result', id, '--json')).code]).toEqual([state, code])
      }
      for (const command of ['result', 'call']) {
        const { out } = await run(command, '--help')
        expect(out).toMatch(
          /3 {2}failed\n {2}4 {2}timed_out\n {2}5 {2}cancelled\n {2}6 {2}expired\n {2}7 {2}not finished/,
        )
      }
    })

    it.each([['worker'], ['result', '--help'], ['config', 'print'], ['inspect', 'report'], ['events'], ['status']])(
      'a reader that has seen enough of %s %s ends it quietly',
      async (...args) => {
        const options = args.includes('--help') || args[0] === 'config' ? [] : ['--url', stack.url]
        const command = args[0] === 'worker' ? ['worker', '--help'] : [...args, ...options]
        const child = spawn(process.execPath, [main, ...command], { env: userEnv() })
        child.stdout.destroy()
        let words = ''
        child.stderr.on('data', (data: Buffer) => (words += data.toString()))
        // What follows events writes when there is one.
        const nudge = setInterval(
          () => void stack.request('POST', '/v1/tasks', { name: 'ml.health_check', args: {} }),
          200,
        )
        await once(child, 'close')
        clearInterval(nudge)
        expect(words).toBe('')
        expect(child.exitCode).toBe(0)
      },
    )

    it('output that cannot be written is one sentence and exit code 1', async () => {
      const full = openSync('/dev/full', 'w')
      const child = spawn(process.execPath, [main, 'config', 'print'], {
        env: { PATH: process.env['PATH'] ?? '' },
        stdio: ['ignore', full, 'pipe'],
      })
      closeSync(full)
      let words = ''
      child.stderr?.on('data', (data: Buffer) => (words += data.toString()))
      await once(child, 'close')
      expect(words).toMatch(/^The output could not be written: ENOSPC.*\n$/)
      expect(child.exitCode).toBe(1)
    })

    it('limits that were set are shown', async () => {
      await run('control', 'rate_limit', 'ml.update_forecasts', '30/m')
      await run('control', 'time_limit', 'ml.update_forecasts', '5', '6')
      const stats = JSON.parse((await run('inspect', 'stats', '--json')).out) as Record<string, LogLine>
      expect(stats['worker1@test']).toMatchObject({
        limits: { 'ml.update_forecasts': { rate_per_second: 0.5, soft_seconds: 5, hard_seconds: 6 } },
        concurrency: 2,
        duplicates: 0,
      })
      const { body } = await stack.request('GET', '/v1/workers/worker1@test')
      expect(body['limits']).toMatchObject({ 'ml.update_forecasts': { rate_per_second: 0.5 } })
      expect(Object.values(body['stats'] as object).every((value) => typeof value === 'number')).toBe(true)
    })

    it('two live workers of one name are named, in the status and in the log', async () => {
      expect(await run('status')).toEqual({ code: 0, out: 'worker1@test: ready\n', err: '' })
      const twin = await stack.startWorker({ WORKER_NAME: 'worker1@test' })
      const seen = await waitFor(
        async () => {
          const status = await run('status')
          return status.code === 1 && status
        },
        { what: 'the twin to be noticed' },
      )
      expect(seen.err).toContain('2 live workers have the name worker1@test')
      await lineOf(({ msg }) => String(msg).startsWith('worker name used twice'))
      const { items } = (await stack.request('GET', '/v1/workers')).body as { items: readonly LogLine[] }
      expect(items).toEqual([expect.objectContaining({ name: 'worker1@test', duplicates: 1 })])
      await twin.kill('SIGKILL')
      await query(stack.databaseUrl, `UPDATE workers SET heartbeat_at = now() - interval '16 s' WHERE pid = $1`, [
        twin.pid,
      ])
      await waitFor(async () => (await run('status')).code === 0, { what: 'the twin to be gone' })
    })

    it('the status says what does not work: a stale worker, no ready worker, the broker', async () => {
      const [worker] = stack.workers
      worker?.signal('SIGSTOP')
      await query(stack.databaseUrl, `UPDATE workers SET heartbeat_at = now() - interval '16 s' WHERE pid = $1`, [
        worker?.pid,
      ])
      const stale = await run('status')
      worker?.signal('SIGCONT')
      expect([stale.code, stale.out]).toEqual([1, 'worker1@test: stale\n'])
      expect(stale.err).toMatch(/worker1@test has sent no heartbeat for 15 s.*\nNo worker is ready/)
      await waitFor(async () => (await run('status')).code === 0, { what: 'the worker to be ready again' })

      await stack.redis?.kill()
      const down = await waitFor(
        async () => {
          const status = await run('status', '--json')
          return status.code === 1 && (JSON.parse(status.out) as { broker: string; faults: string[] })
        },
        { what: 'the outage of the broker' },
      )
      await stack.redis?.restart()
      expect(down.broker).toBe('down')
      expect(down.faults.join('\n')).toContain('The broker is down')
      await waitFor(async () => (await run('status')).code === 0, { what: 'the broker to be back' })
    })
  })

  it('E5: every line of api and worker is JSON, also through an outage and at a start that fails', async () => {
    const env = { ...stack.env, DEFAULT_MODEL: 'nope', CELERY_TASK_ROUTES: 'x', BROKER_ULR: 'x' }
    for (const name of ['api', 'worker']) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [main, name], { env, encoding: 'utf8' })
      expect(status).toBe(1)
      const lines = parseLogLines(stdout + stderr)
      expect(lines.filter(({ level }) => level === 'fatal')).toMatchObject([
        {
          service: name,
          code: 'CONFIG_INVALID',
          msg: expect.stringMatching(/^DEFAULT_MODEL: there is no such model/) as string,
        },
      ])
      const warnings = lines.filter(({ level }) => level === 'warn').map(({ msg }) => String(msg))
      expect(warnings).toEqual([
        expect.stringMatching(/^CELERY_TASK_ROUTES has no effect: there is no such setting/),
        'BROKER_ULR has no effect. Did you mean BROKER_URL?',
      ])
    }
    const levels = new Set(parseLogLines(stack.readLogs()).map(({ level }) => level))
    expect(levels).toContain('info')
    expect(stack.readLogs()).not.toContain('canary')
  })
})
