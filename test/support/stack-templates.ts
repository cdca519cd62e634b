import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startEmbeddedPostgres } from '#libs/embedded-postgres'
import { serverFlags } from '#libs/platform'
import { hasRedis, startRedis } from './redis-server.js'
import { deletePostgres, templatesVariable } from './stack-postgres.js'

/** Vitest's global set-up of the tests that run stacks: for each broker, a database migrated by the built product. */
export const setup = async (): Promise<(() => void) | undefined> => {
  // Another project of this run has made them.
  if (process.env[templatesVariable] !== undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-templates-'))
  chmodSync(folder, 0o711)
  const brokers = hasRedis() ? ['postgres', 'redis'] : ['postgres']
  await Promise.all(brokers.map((broker) => makeTemplate(join(folder, broker), broker)))
  process.env[templatesVariable] = folder
  return () => {
    for (const broker of brokers) deletePostgres(join(folder, broker))
    rmSync(folder, { recursive: true })
  }
}

const makeTemplate = async (home: string, broker: string): Promise<void> => {
  mkdirSync(home, { mode: 0o711 })
  const [postgres, redis] = await Promise.all([
    startEmbeddedPostgres({ home, durable: false, log: () => undefined }),
    broker === 'redis' ? startRedis() : undefined,
  ])
  const main = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))
  const env = { PATH: process.env['PATH'], DATABASE_URL: postgres.url, ...(redis && { BROKER_URL: redis.url }) }
  const migration = spawn(process.execPath, [...serverFlags, main, 'migrate'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(migration, 'exit')) as [number | null]
  await redis?.stop()
  await postgres.stop()
  if (code !== 0) throw new Error(`The migration of the template ended with ${code}`)
}
