/**
 * Vitest's set-up of every test file: neither the settings of the shell nor the `.env` of the working folder reach a
 * test, so that none can reach a service that runs on this machine. Processes that a test starts inherit both.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { variables } from '#libs/platform'

/** Variables that programs of ours or PostgreSQL's client library read. */
const foreign = /^(MEMORYGUARD|RATE_LIMIT|TASK|WORKER|WEBHOOK|DATABASE|BROKER|CELERY|OIDC|OTEL|PG)/

for (const name of Object.keys(process.env)) {
  if (foreign.test(name) || name.replace(/_FILE$/, '') in variables) delete process.env[name]
}

const folder = mkdtempSync(join(tmpdir(), 'memoryguard-tests-'))
// The default of MODELS_DIR is relative, and so are the programs that tests start.
for (const name of ['models', 'dist', 'bin']) {
  symlinkSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(folder, name))
}
process.chdir(folder)
afterAll(() => rmSync(folder, { recursive: true, force: true }))
