import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const oxlint = join(dirname(createRequire(import.meta.url).resolve('oxlint/package.json')), 'bin/oxlint')

/** Files that import what their room must not, and one of each that may. */
const forbidden: readonly (readonly [string, string])[] = [
  ['libs/platform/src/a.ts', '#libs/database'],
  ['libs/platform/src/b.ts', '../../../apps/api/src/run-api.js'],
  ['libs/tasks/src/contracts/a.ts', '#libs/database'],
  ['libs/tasks/src/a.ts', '#libs/ml'],
  ['libs/database/src/tasks/a.ts', '#libs/tasks'],
  ['libs/database/src/tasks/b.ts', '#libs/ml/manifest'],
  ['libs/ml/src/registry/a.ts', '#libs/database'],
  ['libs/ml/src/registry/b.ts', '#libs/tasks/contracts'],
  ['libs/platform/src/d.ts', '#libs/tasks/contracts'],
  ['libs/embedded-postgres/src/b.ts', '#libs/ml/manifest'],
  ['libs/ml/src/manifest/a.ts', 'onnxruntime-node'],
  ['libs/health/src/a.ts', '#libs/ml'],
  ['libs/celery/src/a.ts', '#libs/database'],
  ['libs/calls/src/a.ts', '#libs/ml'],
  ['libs/embedded-postgres/src/a.ts', '#libs/database'],
  ['apps/api/src/a.ts', '#libs/ml'],
  ['apps/api/src/b.ts', '../../worker/src/run-worker.js'],
  ['apps/worker/src/a.ts', '../../api/src/run-api.js'],
  ['apps/cli/src/a.ts', '../../api/src/create-app.js'],
  ['apps/cli/src/b.ts', '../../../libs/database/src/tasks/task.repository.js'],
]
const allowed: readonly (readonly [string, string])[] = [
  ['libs/tasks/src/c.ts', '#libs/database'],
  ['libs/database/src/tasks/c.ts', '#libs/tasks/contracts'],
  ['libs/ml/src/registry/c.ts', '#libs/platform'],
  ['libs/health/src/c.ts', '#libs/database'],
  ['libs/celery/src/c.ts', '#libs/platform'],
  ['libs/calls/src/c.ts', '#libs/ml/manifest'],
  ['apps/api/src/c.ts', '#libs/ml/manifest'],
  ['apps/worker/src/c.ts', '#libs/ml'],
  ['apps/cli/src/c.ts', '../../worker/src/run-worker.js'],
]

describe('lint keeps the borders between rooms', () => {
  let folder: string
  let found: Map<string, string>
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-borders-'))
    const {
      options: _,
      $schema: __,
      ...config
    } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as Record<string, unknown>
    writeFileSync(join(folder, '.oxlintrc.json'), JSON.stringify(config))
    for (const [path, specifier] of [...forbidden, ...allowed]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), `export { thing } from '${specifier}'\n`)
    }
    const { stdout } = spawnSync(process.execPath, [oxlint, '--format', 'json'], { cwd: folder, encoding: 'utf8' })
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { code: string; filename: string; message: string; help: string }[]
    }
    found = new Map(
      diagnostics
        .filter(({ code }) => code.includes('no-restricted-imports'))
        .map(({ filename, message, help }) => [filename, `${message} ${help}`]),
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(forbidden)('%s must not import %s', (path) => {
    expect(found.get(path)).toMatch(/import/)
  })

  it.each(allowed)('%s may import %s', (path) => {
    expect(found.get(path)).toBeUndefined()
  })
})
