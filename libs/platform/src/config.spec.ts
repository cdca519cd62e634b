import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig, printableConfig } from './config.js'
import { MemoryGuardError } from './memory-guard-error.js'

const faultOf = (env: NodeJS.ProcessEnv): MemoryGuardError => {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof MemoryGuardError) return error
    throw error
  }
  throw new Error('The configuration was accepted')
}

describe('configuration', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-config-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('has the documented defaults', () => {
    expect(loadConfig({})).toMatchObject({
      database: { url: undefined },
      broker: { url: undefined },
      http: { host: '127.0.0.1', port: 3000 },
      worker: {
        queues: ['predictions', 'batch', 'explanations', 'forecasts'],
        pool: 'prefork',
        healthPort: 8081,
        maxTasksPerChild: 1000,
      },
      task: { maxRetries: 3, retryDelaySeconds: 60, timeLimitSeconds: 1800, softTimeLimitSeconds: 1500 },
    })
  })

  it('reads numbers and lists, and takes what is empty for absent', () => {
    const config = loadConfig({ PORT: '0', WORKER_QUEUES: ' batch, predictions ,batch', BROKER_URL: '', LOG_LEVEL: '' })
    expect(config.http.port).toBe(0)
    expect(config.worker.queues).toEqual(['batch', 'predictions'])
    expect(config.broker.url).toBeUndefined()
    expect(config.log.level).toBe('info')
  })

  it('names every fault at once, and never a value', () => {
    const values = {
      DATABASE_URL: 'mysql://canary-user:canary-password@host/db',
      BROKER_URL: 'canary-broker',
      PORT: '70000',
      ADMIN_API_KEY: 'canary-key',
      LOG_LEVEL: 'canary-level',
      WORKER_QUEUES: 'predictions,canary-queue',
      WORKER_CONCURRENCY: 'canary-number',
      WORKER_AUTOSCALE: '2,8',
      TASK_MAX_RETRIES: '1.5',
      TASK_LOCK_SECONDS: '0',
    }
    const error = faultOf(values)
    expect(error.code).toBe('CONFIG_INVALID')
    expect(new Set(error.faults.map(({ pointer }) => pointer))).toEqual(new Set(Object.keys(values)))
    for (const name of Object.keys(values)) expect(error.message).toContain(`${name}: `)
    expect(error.message).not.toContain('canary')
    expect(error.message).not.toContain('70000')
    expect(error.message).toMatch(/BROKER_URL: must be .*redis:\/\//)
    expect(error.message).toMatch(/WORKER_QUEUES: must be a list of queues out of predictions, batch/)
  })

  it('says what numbers may be, and that a soft limit above the hard one would never be reached', () => {
    const { message } = faultOf({ PORT: '-1', WORKER_CONCURRENCY: '0', TASK_RETRY_DELAY_SECONDS: '-1' })
    expect(message).toContain('PORT: must be a whole number from 0 to 65535')
    expect(message).toContain('WORKER_CONCURRENCY: must be a whole number from 1 to 256')
    expect(message).toContain('TASK_RETRY_DELAY_SECONDS: must be a number of seconds from 0 to')
    const limits = { TASK_TIME_LIMIT_SECONDS: '10', TASK_SOFT_TIME_LIMIT_SECONDS: '20' }
    expect(faultOf(limits).faults).toMatchObject([{ pointer: 'TASK_SOFT_TIME_LIMIT_SECONDS' }])
    expect(loadConfig({ TASK_TIME_LIMIT_SECONDS: '10' }).task.timeLimitSeconds).toBe(10)
  })

  it('reads a secret from the file that its _FILE variable names; the variable itself wins', () => {
    const path = join(folder, 'secret')
    writeFileSync(path, 'postgresql://u:p@filehost/db\n')
    expect(loadConfig({ DATABASE_URL_FILE: path }).database.url).toBe('postgresql://u:p@filehost/db')
    const direct = 'postgresql://u:p@direct/db'
    expect(loadConfig({ DATABASE_URL: direct, DATABASE_URL_FILE: path }).database.url).toBe(direct)
    // Only secrets have a file.
    writeFileSync(path, '4000')
    expect(loadConfig({ PORT_FILE: path }).http.port).toBe(3000)
  })

  it('says which file of a secret cannot be read', () => {
    const error = faultOf({ DATABASE_URL_FILE: join(folder, 'absent') })
    expect(error.faults).toEqual([{ pointer: 'DATABASE_URL_FILE', message: 'cannot be read (ENOENT)' }])
  })

  it('is frozen, in every section', () => {
    const config = loadConfig({})
    expect(Object.isFrozen(config)).toBe(true)
    for (const section of Object.values(config)) {
      if (typeof section === 'object') expect(Object.isFrozen(section)).toBe(true)
    }
  })

  it('is printed with its secrets masked', () => {
    const printed = printableConfig({ DATABASE_URL: 'postgresql://u:canary@host/db', PORT: '4000' })
    expect(printed).toMatchObject({ DATABASE_URL: '********', PORT: '4000', BROKER_URL: '' })
    expect(JSON.stringify(printed)).not.toContain('canary')
  })
})
