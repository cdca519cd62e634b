import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const shipped = fileURLToPath(new URL('../../models', import.meta.url))

describe('E5: an api whose MODELS_DIR lacks the default model', () => {
  let stack: Stack
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-default-'))
    stack = await startStack({ broker: 'postgres', logs: 'keep' })
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(folder, { recursive: true })
  })

  const add = (name: string) => cpSync(join(shipped, name), join(folder, name), { recursive: true })

  it('is not ready and says why, once in the log, until the model is there', async () => {
    const port = await findFreePort('127.0.0.1')
    const url = `http://127.0.0.1:${port}`
    const api = stack.run('api', { PORT: String(port), MODELS_DIR: folder })
    const readiness = async () => {
      const response = await fetch(`${url}/readyz`)
      const { error = {} } = (await response.json()) as { error?: { models?: { message: string } } }
      return { status: response.status, models: error.models?.message }
    }
    const predict = (more: object) =>
      fetch(`${url}/v1/predictions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ user_id: 1, health_metrics: { mmse_score: 24, age: 72, sex: 0 }, ...more }),
      })
    const untilSaid = (words: RegExp) =>
      waitFor(async () => words.test((await readiness()).models ?? ''), { what: String(words) })

    await waitFor(async () => (await fetch(`${url}/startupz`)).ok, { what: 'the api to have started' })
    await untilSaid(/^none is usable$/)
    for (const more of [{}, { model: 'dementia-risk' }]) {
      const refused = await predict(more)
      expect([refused.status, await refused.json()]).toEqual([
        503,
        expect.objectContaining({ code: 'MODEL_NOT_READY' }),
      ])
    }
    add('dementia-risk')
    await untilSaid(
      /^the default model impairment-screen is not in MODELS_DIR: .* DEFAULT_MODEL to one of dementia-risk@1$/,
    )
    const response = await fetch(`${url}/readyz`)
    expect([response.status, await response.json()]).toEqual([
      503,
      expect.objectContaining({ broker: 'up', notes: [] }),
    ])
    expect((await fetch(`${url}/livez`)).status).toBe(200)
    expect((await predict({})).status).toBe(422)
    // Who names a model is served meanwhile.
    expect((await predict({ model: 'dementia-risk' })).status).toBe(202)
    expect(stack.readLogs().match(/Not ready: models: the default model/g)).toHaveLength(1)

    add('impairment-screen')
    await waitFor(async () => (await readiness()).status === 200, { what: 'the api to be ready' })
    expect((await predict({})).status).toBe(202)
    expect(await api.kill('SIGTERM')).toBe(0)
  })
})
