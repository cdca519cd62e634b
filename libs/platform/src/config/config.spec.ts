import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from './load-config.js'
import { parseBrokerUrl } from './broker-url.js'
import { changedConfig, maskUrl, printableConfig } from './print-config.js'
import { configWarnings } from './warnings.js'
import { MemoryGuardError } from '../memory-guard-error.js'

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

  it('A7: records reads only if AUDIT_READS says so', () => {
    expect(loadConfig({}).audit).toEqual({ recordsReads: false })
    expect(loadConfig({ AUDIT_READS: 'persons' }).audit).toEqual({ recordsReads: true })
    expect(faultOf({ AUDIT_READS: 'all' }).message).toContain('AUDIT_READS: must be none or persons')
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

  it('E5: says which file of a secret cannot be read or is empty, and takes of its content only a last line break off', () => {
    const error = faultOf({ DATABASE_URL_FILE: join(folder, 'absent') })
    expect(error.faults).toEqual([{ pointer: 'DATABASE_URL_FILE', message: 'cannot be read (ENOENT)' }])
    const path = join(folder, 'secret')
    for (const text of ['', '\n']) {
      writeFileSync(path, text)
      expect(faultOf({ BROKER_URL_FILE: path }).faults).toEqual([
        { pointer: 'BROKER_URL_FILE', message: 'names an empty file' },
      ])
    }
    writeFileSync(path, ' spaced \r\n')
    const env = { DATABASE_URL: 'postgresql://u@h/d', DATABASE_PASSWORD_FILE: path }
    expect(loadConfig(env).database.url).toBe('postgresql://u:%20spaced%20@h/d')
  })

  it('E7: puts a password with any characters into the URL, and refuses two different ones', () => {
    const password = 'p@ss/w:r%d#? x'
    const { database, broker } = loadConfig({
      DATABASE_URL: 'postgresql://user@host:5432/db?sslmode=require',
      DATABASE_PASSWORD: password,
      BROKER_URL: 'redis://host:6379/1',
      BROKER_PASSWORD: password,
    })
    for (const url of [database.url, broker.url]) expect(decodeURIComponent(new URL(url ?? '').password)).toBe(password)
    expect(database.url).toMatch(/@host:5432\/db\?sslmode=require$/)
    expect(broker.url).toMatch(/^redis:\/\/:.*@host:6379\/1$/)
    const complete = { DATABASE_URL: database.url, DATABASE_PASSWORD: password }
    expect(loadConfig(complete).database.url).toBe(database.url)
    const different = faultOf({ ...complete, DATABASE_PASSWORD: 'canary' })
    expect(different.message).toMatch(/DATABASE_PASSWORD: differs from the password in DATABASE_URL/)
    expect(different.message).not.toContain('canary')
    expect(faultOf({ BROKER_PASSWORD: 'x' }).message).toContain('BROKER_PASSWORD: needs BROKER_URL')
  })

  it('puts the passwords of Redis and of its sentinels into the URL that names several hosts', () => {
    const password = 'p@ss/w:r%d#? +x'
    const env = { BROKER_URL: 'redis+sentinel://one,two:26380/master/1', BROKER_SENTINEL_PASSWORD: password }
    const { url = '' } = loadConfig({ ...env, BROKER_PASSWORD: 'other' }).broker
    expect(url).toMatch(/^redis\+sentinel:\/\/:other@one,two:26380\/master\/1\?sentinel_password=/)
    expect(parseBrokerUrl(url)).toMatchObject({ address: { password: 'other', sentinel: { password } } })
    expect(loadConfig({ ...env, BROKER_URL: url.replace(':other@', '') }).broker.url).toContain('sentinel_password=p')
    const different = faultOf({ ...env, BROKER_URL: url, BROKER_SENTINEL_PASSWORD: 'canary' })
    expect(different.message).toMatch(/BROKER_SENTINEL_PASSWORD: differs/)
    expect(faultOf({ ...env, BROKER_URL: 'redis://one' }).message).toMatch(
      /BROKER_SENTINEL_PASSWORD: needs a BROKER_URL that names sentinels/,
    )
  })

  it('E7: puts the password into the direct URL too, unless it has its own', () => {
    const password = 'p@ss/w:r%d#? x'
    const directUrlOf = (url: string) =>
      loadConfig({ DATABASE_URL: 'postgresql://u@pooler/d', DATABASE_DIRECT_URL: url, DATABASE_PASSWORD: password })
        .database.directUrl ?? ''
    expect(decodeURIComponent(new URL(directUrlOf('postgresql://u@server/d')).password)).toBe(password)
    expect(directUrlOf('host=server user=u')).toBe(`host=server user=u password='${password}'`)
    for (const own of [
      'postgresql://u:own@server/d',
      'postgresql://server/d?user=u&password=own',
      'host=h password=own',
    ])
      expect(directUrlOf(own)).toBe(own)
    expect(faultOf({ DATABASE_URL: 'postgresql://h/d?password=canary', DATABASE_PASSWORD: 'x' }).message).toMatch(
      /^(?!.*canary).*\n.*DATABASE_PASSWORD: differs/,
    )
  })

  it.each([
    [{ DATABASE_URL: 'mysql://x', DATABASE_PASSWORD: 'p', DATABASE_DIRECT_URL: 'postgresql://h/d' }, 'DATABASE_URL'],
    [{ BROKER_URL: 'http://x', BROKER_PASSWORD: 'p', BROKER_SENTINEL_PASSWORD: 'p' }, 'BROKER_URL'],
    [{ CELERY_BROKER_URL: 'http://x', CELERY_RESULT_BACKEND: 'redis://h' }, 'CELERY_BROKER_URL'],
    [{ DATABASE_URL_FILE: '/absent', DATABASE_PASSWORD: 'p' }, 'DATABASE_URL_FILE'],
    [{ OIDC_ISSUER: 'x', OIDC_AUDIENCE: 'a', OIDC_ROLE_MAP: 'a=operator' }, 'OIDC_ISSUER'],
  ])('E5: %j has one fault, for what depends on a wrong variable is not missing', (env, pointer) => {
    expect(faultOf(env).faults.map((each) => each.pointer)).toEqual([pointer])
  })

  it('E5: has no user and password in the URL of a collector, where they would be shown', () => {
    const { message } = faultOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://u:canary@collector' })
    expect(message).toMatch(/OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL without a user and a password/)
    expect(message).not.toContain('canary')
    const endpoint = 'https://collector/?token=canary'
    expect(JSON.stringify(printableConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }))).not.toContain('canary')
  })

  it('is frozen, in every section', () => {
    const config = loadConfig({})
    expect(Object.isFrozen(config)).toBe(true)
    for (const section of Object.values(config)) {
      if (typeof section === 'object') expect(Object.isFrozen(section)).toBe(true)
    }
  })

  it('E5: is printed with its secrets masked, of URLs the secret part alone', () => {
    const printed = printableConfig({
      DATABASE_URL: 'postgresql://u:canary:@x@host:5433/db?sslmode=require&password=canary',
      BROKER_URL: 'rediss://:canary@broker:6380/2',
      ADMIN_API_KEY: 'mg_canary-x7Kq9ZpLw3Tn5Vb8Rc2J',
      PORT: '4000',
    })
    expect(printed).toMatchObject({
      DATABASE_URL: 'postgresql://u:********@host:5433/db?sslmode=require&password=********',
      BROKER_URL: 'rediss://:********@broker:6380/2',
      ADMIN_API_KEY: '********',
      PORT: '4000',
    })
    expect(JSON.stringify(printed)).not.toContain('canary')
    for (const password of ['canary', String.raw`'can\'t be a canary'`, String.raw`can\ canary`])
      expect(maskUrl(`host=h password = ${password} dbname=d`)).toBe('host=h password = ******** dbname=d')
    expect(maskUrl('redis+cluster://:canary@one,two')).toBe('redis+cluster://:********@one,two')
    for (const user of ['', ':canary@', 'user:canary@'])
      expect(maskUrl(`redis+sentinel://${user}one,two/master?sentinel_password=canary@1&family=4`)).not.toMatch(
        /canary|@1/,
      )
    expect(printableConfig({ BROKER_URL: 'redis://broker:6379/0' })['BROKER_URL']).toBe('redis://broker:6379/0')
  })

  it('shows only what differs from its default, for a report', () => {
    expect(changedConfig({})).toEqual({})
    const env = { PORT: '3000', LOG_LEVEL: 'debug', BROKER_URL: 'redis://:canary@h', WORKER_QUEUES: 'batch' }
    expect(changedConfig(env)).toEqual({
      LOG_LEVEL: 'debug',
      BROKER_URL: 'redis://:********@h',
      WORKER_QUEUES: 'batch',
    })
  })

  it.each([
    ['DATABSE_URL', /DATABSE_URL has no effect\. Did you mean DATABASE_URL\?/],
    ['DATABASE_URI', /Did you mean DATABASE_URL\?/],
    ['database_url', /Did you mean DATABASE_URL\?/],
    ['LOGLEVEL', /Did you mean LOG_LEVEL\?/],
    ['WORKER_CONCURENCY', /Did you mean WORKER_CONCURRENCY\?/],
    ['DATABASE_URL_FIEL', /Did you mean DATABASE_URL_FILE\?/],
    ['MEMORYGUARD_PORT_NUMBER', /no such setting/],
    ['TASK_MAXIMUM_TRIES', /no such setting/],
    ['RATE_LIMIT_WHATEVER', /no such setting/],
    ['OIDC_REALM', /no such setting/],
    ['SESSION_IDLE_SECOND', /Did you mean SESSION_IDLE_SECONDS\?/],
    ['CELERY_BROKER_UR', /Did you mean CELERY_BROKER_URL\?/],
    ['CELERY_TASK_ROUTES', /no such setting/],
    ['OTEL_METRICS_EXPORTER', /only traces by OTLP over HTTP/],
    ['PORT_FILE', /only secrets are read from files/],
  ])('E5: warns of %s, and shows no value', (name, words) => {
    const warnings = configWarnings({ [name]: 'canary' })
    expect(warnings).toEqual([expect.stringMatching(words)])
    expect(warnings.join()).not.toContain('canary')
  })

  it('E5: warns of a file beside its variable, and of nothing that belongs to others', () => {
    const both = { BROKER_URL: 'redis://h', BROKER_URL_FILE: '/f' }
    expect(configWarnings(both)).toEqual([expect.stringContaining('BROKER_URL_FILE has no effect')])
    const foreign = [
      'PATH',
      'HOSTNAME',
      'SESSION_MANAGER',
      'PGHOST',
      'POSTGRES_PASSWORD',
      'REDIS_URL',
      'PORTS',
      'LOG_LEVEL_FORMAT_OF_OTHERS',
    ]
    const links = ['MEMORYGUARD_SERVICE_HOST', 'MEMORYGUARD_API_PORT_3000_TCP_ADDR']
    const known = ['DATABASE_URL', 'ADMIN_API_KEY_FILE', 'MEMORYGUARD_API_KEY']
    expect(configWarnings(Object.fromEntries([...foreign, ...links, ...known].map((name) => [name, 'x'])))).toEqual([])
    expect(configWarnings({ DATABSE_URL: '', WORKER_PORT: 'tcp://10.0.0.1:80' })).toEqual([])
  })
})
