import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { insertKey, query, queryNumber } from '../support/query.js'
import { type HttpResponse } from '../support/stack.js'
import { useStack } from '../support/use-stack.js'

const cli = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
const check = { task: 'ml.health_check' }
const far = { ...check, cron: '0 0 1 1 *' }

describe('schedules', () => {
  const stack = useStack({ broker: 'postgres', env: { WORKER_CONCURRENCY: '1' } })

  const patch = (name: string, body: unknown) => stack.request('PATCH', `/v1/schedules/${name}`, body)
  const create = async (body: object) => {
    const response = await stack.post('/v1/schedules', body)
    expect(response.status, response.text).toBe(201)
    return response.body
  }
  const pointersOf = ({ body }: HttpResponse) => (body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)

  it('send the arguments of their task, and are seen by whom they are about', async () => {
    const submitted = await stack.post(
      '/v1/predictions',
      { user_id: 41, health_metrics: { mmse_score: 25, age: 70 } },
      { prefer: 'wait=20' },
    )
    const prediction = submitted.body['id']
    const args = { prediction_id: prediction }
    const explain = await create({ ...far, name: 'explain', task: 'ml.generate_explanation', args })
    expect(explain).toMatchObject({ args, queue: 'explanations' })
    expect((await patch('explain', { priority: 1 })).body).toMatchObject({ args, queue: 'explanations', priority: 1 })
    const ran = await stack.post('/v1/schedules/explain/run', undefined, { prefer: 'wait=20' })
    expect(ran.body).toMatchObject({ state: 'succeeded', user_id: 41, args, result: { prediction_id: prediction } })

    for (const name of ['other', 'another']) await create({ name, ...far })
    const key = await insertKey(stack.databaseUrl, { role: 'viewer', userId: 41 })
    const authorization = `Bearer ${key}`
    const seen = (await stack.get('/v1/schedules', { authorization })).body['items'] as { name: string }[]
    expect(seen.map(({ name }) => name)).toEqual(['explain'])
    expect((await stack.get('/v1/schedules/explain', { authorization })).status).toBe(200)
    expect((await stack.get('/v1/schedules/other', { authorization })).status).toBe(404)

    const page = await stack.get('/v1/schedules?limit=2')
    const rest = await stack.get(`/v1/schedules?cursor=${String(page.body['next_cursor'])}&limit=100`)
    const all = [page, rest].flatMap(({ body }) => body['items'] as { name: string }[]).map(({ name }) => name)
    expect(all).toEqual(['another', 'explain', 'other'])
  })

  it('A9: can be addressed by any name that they may have', async () => {
    const name = `a${'b-_.'.repeat(40)}`.slice(0, 120)
    await create({ ...far, name })
    expect((await stack.get(`/v1/schedules/${name}`)).body).toMatchObject({ name })
    expect((await patch(name, { is_paused: true })).body).toMatchObject({ name, is_paused: true })
    expect((await stack.request('DELETE', `/v1/schedules/${name}`)).status).toBe(204)
  })

  describe('are refused', () => {
    it.each([
      [{ ...far, task: 'ml.nothing' }, ['/task']],
      [{ ...far, task: 'ml.update_forecasts', args: { user_id: 0 } }, ['/args/user_id']],
      [{ ...far, task: 'ml.health_check', args: { user_id: 1 } }, ['/args/user_id']],
      [{ ...far, task: 'ml.generate_explanation', args: { prediction_id: 999_999 } }, ['/args/prediction_id']],
      [
        { ...far, task: 'ml.process_prediction', args: { user_id: 1, health_metrics: { mmse_score: 20 } } },
        ['/args/health_metrics'],
      ],
      [{ ...far, task: 'ml.generate_explanation', args: { prediction_id: 1, output: '\0' } }, ['/args']],
      [{ ...check, cron: 'at noon' }, ['/cron']],
      [{ ...check, cron: '0 0 30 2 *' }, ['/cron']],
      [{ ...far, time_zone: 'Mars/Phobos' }, ['/time_zone']],
      [{ ...check }, ['/cron']],
      [{ ...far, interval_seconds: 60 }, ['/interval_seconds']],
      [{ ...check, interval_seconds: 0 }, ['/interval_seconds']],
      [{ ...check, interval_seconds: 1.5 }, ['/interval_seconds']],
      [{ ...far, catch_up: 'most', queue: 'celery', priority: -1 }, ['/catch_up', '/queue', '/priority']],
      [{ ...far, name: 'with space' }, ['/name']],
      [{ ...far, crontab: '* * * * *' }, ['/crontab']],
    ])('%j', async (body, pointers) => {
      const count = () => queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM schedules')
      const before = await count()
      const response = await stack.post('/v1/schedules', { name: 'refused', ...body })
      expect([response.status, pointersOf(response)]).toEqual([422, pointers])
      expect(await count()).toBe(before)
    })

    it('if the name is taken, or a change does not fit', async () => {
      await create({ name: 'taken', ...far })
      const again = await stack.post('/v1/schedules', { name: 'taken', ...far })
      expect([again.status, again.body['code'], pointersOf(again)]).toEqual([409, 'SCHEDULE_CONFLICT', ['/name']])
      expect(pointersOf(await patch('taken', { cron: '0 0 31 4 *' }))).toEqual(['/cron'])
      expect(pointersOf(await patch('taken', { cron: null }))).toEqual(['/cron'])
      expect(pointersOf(await patch('taken', { name: 'other' }))).toEqual(['/name'])
      expect(pointersOf(await patch('taken', { task: 'ml.update_forecasts' }))).toEqual(['/args/user_id'])
      expect((await stack.get('/v1/schedules/taken')).body).toMatchObject({ cron: '0 0 1 1 *', ...check })
      expect((await stack.get('/v1/schedules/%00')).status).toBe(422)
      expect((await patch('nobody', { is_paused: true })).status).toBe(404)
      expect((await stack.request('DELETE', '/v1/schedules/nobody')).status).toBe(404)
      expect((await stack.post('/v1/schedules/nobody/run')).status).toBe(404)
    })

    it('to those without the role; what operators do is in the audit trail', async () => {
      const statusesOf = async (role: 'viewer' | 'submitter' | 'operator') => {
        const authorization = `Bearer ${await insertKey(stack.databaseUrl, { role })}`
        const responses = [
          await stack.get('/v1/schedules', { authorization }),
          await stack.get('/v1/schedules/taken', { authorization }),
          await stack.post('/v1/schedules', { name: `made-by-${role}`, ...far }, { authorization }),
          await stack.request('PATCH', '/v1/schedules/taken', { is_paused: true }, { authorization }),
          await stack.post('/v1/schedules/taken/run', undefined, { authorization }),
          await stack.request('DELETE', '/v1/schedules/taken', undefined, { authorization }),
        ]
        return responses.map(({ status }) => status < 300 || status)
      }
      expect(await statusesOf('viewer')).toEqual([true, true, 403, 403, 403, 403])
      expect(await statusesOf('submitter')).toEqual([true, true, 403, 403, 403, 403])
      expect(await statusesOf('operator')).toEqual(Array(6).fill(true))
      const rows = await query<{ action: string }>(
        stack.databaseUrl,
        `SELECT DISTINCT action FROM audit_log WHERE action LIKE 'schedule.%' AND api_key_id IS NOT NULL ORDER BY 1`,
      )
      const actions = ['schedule.create', 'schedule.delete', 'schedule.run', 'schedule.update']
      expect(rows.map(({ action }) => action)).toEqual(actions)
    })
  })

  it('are kept from the command line', () => {
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'schedules', ...args], {
        env: { ...stack.env },
        encoding: 'utf8',
      })
      return { status, text: stdout + stderr, stdout }
    }
    const monday = ['--cron', '30 2 * * mon', '--time-zone', 'Europe/Berlin']
    const made = run('create', 'weekly', '--task', 'ml.update_forecasts', '--args', '{"user_id": 41}', ...monday)
    expect(made.text).toMatch(
      /^weekly: ml.update_forecasts {"user_id":41} to forecasts, 30 2 \* \* mon \(Europe\/Berlin\)/,
    )
    expect(run('list').text).toMatch(/^weekly +ml.update_forecasts +30 2 \* \* mon \(Europe\/Berlin\) +\d{4}-/m)
    expect(run('update', 'weekly', '--interval', '600', '--catch-up', 'none').text).toContain(
      'every 600 s, catch-up none',
    )
    expect(run('pause', 'weekly').text).toContain('next none: it is paused')
    expect(run('list').text).toMatch(/^weekly .* every 600 s +paused$/m)
    expect(run('resume', 'weekly').text).toMatch(/next \d{4}-/)
    expect(JSON.parse(run('run', 'weekly', '--json').stdout)).toMatchObject({
      name: 'ml.update_forecasts',
      user_id: 41,
    })
    expect(run('show', 'weekly').text).toMatch(/^ {2}ran \d{4}-/m)
    expect(JSON.parse(run('list', '--json').stdout)).toMatchObject({ items: expect.any(Array) })
    const refused = run('create', 'never', '--task', 'ml.health_check', '--cron', '0 0 30 2 *')
    expect([refused.status, refused.text]).toEqual([1, expect.stringContaining('/cron: must be a time that comes')])
    expect(run('delete', 'weekly').text).toBe('weekly is deleted.\n')
    expect(run('show', 'weekly')).toMatchObject({ status: 1, text: expect.stringContaining('no such schedule') })
  })
})
