import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLogger } from '#libs/platform'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readModelFolder } from '../manifest/index.js'
import { ForecastRegistry } from './forecast-registry.js'

const shipped = fileURLToPath(new URL('../../../../models/mmse-forecast/1', import.meta.url))
let root: string
let registry: ForecastRegistry

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memoryguard-forecast-'))
  registry = new ForecastRegistry(createLogger('test', 'silent'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** Copies the shipped model and edits its JSON files, with digests that fit again. */
const makeVersion = async (version: string, edits: Record<string, (json: never) => void> = {}) => {
  const path = join(root, version)
  cpSync(shipped, path, { recursive: true })
  const edit = (file: string, change: (json: never) => void) => {
    const json: unknown = JSON.parse(readFileSync(join(path, file), 'utf8'))
    change(json as never)
    writeFileSync(join(path, file), JSON.stringify(json))
  }
  for (const [file, change] of Object.entries(edits)) edit(file, change)
  edit('manifest.json', (manifest: { version: string; files: Record<string, string> }) => {
    manifest.version = version
    for (const file of Object.keys(manifest.files)) {
      manifest.files[file] = createHash('sha256')
        .update(readFileSync(join(path, file)))
        .digest('hex')
    }
  })
  return readModelFolder(path)
}

describe('the forecast models of a process', () => {
  it('are ready when they compute what their golden files say; the newest is used', async () => {
    await registry.loadAll([await makeVersion('2'), await makeVersion('10'), await makeVersion('9')])
    expect(registry.readyReferences).toEqual(['mmse-forecast@10', 'mmse-forecast@9', 'mmse-forecast@2'])
    const { reference, forecaster } = registry.getActive(new Map())
    expect(reference).toBe('mmse-forecast@10')
    const { points } = forecaster.forecast({ history: [], horizonsMonths: [12], from: '2026-01-01' })
    expect(points[0]?.median).toBeGreaterThan(20)
  })

  it('never become ready with another result than the golden one; the older serves on', async () => {
    const wrong = await makeVersion('2', {
      'parameters.json': (parameters: { noise_sd: number }) => {
        parameters.noise_sd *= 1.01
      },
    })
    await registry.loadAll([wrong, await makeVersion('1')])
    expect(registry.readyReferences).toEqual(['mmse-forecast@1'])
    expect(registry.getActive(new Map()).reference).toBe('mmse-forecast@1')
    expect(registry.models).toMatchObject([
      { reference: 'mmse-forecast@1', state: 'ready', reason: null },
      { reference: 'mmse-forecast@2', state: 'broken', reason: expect.stringMatching(/golden\.json: .*expected/) },
    ])
  })

  it('report every fault of their files at once, and why nothing can be forecast', async () => {
    const broken = await makeVersion('1', {
      'parameters.json': (parameters: { noise_sd: number; effects: object }) => {
        parameters.noise_sd = -1
        parameters.effects = {}
      },
      'golden.json': (golden: { cases: unknown[] }) => {
        golden.cases = []
      },
    })
    await registry.loadAll([broken])
    const reason = registry.models[0]?.reason ?? ''
    for (const place of ['parameters.json#/noise_sd', 'parameters.json#/effects/male', 'golden.json#/cases']) {
      expect(reason).toContain(place)
    }
    expect(() => registry.getActive(new Map())).toThrow(
      expect.objectContaining({ code: 'MODEL_NOT_READY', retryable: true, message: expect.stringContaining(reason) }),
    )
  })
})
