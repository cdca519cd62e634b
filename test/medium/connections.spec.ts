import { randomBytes } from 'node:crypto'
import { connectionOptions, createDataSource, PreparedStatements } from '#libs/database'
import { loadConfig } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostileSettings } from '../support/hostile-role.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

interface Settings {
  readonly [name: string]: string
}

const shown = `SELECT jsonb_object_agg(name, setting) AS settings FROM pg_settings`

describe('a connection', () => {
  let database: TestDatabase
  const role = `hostile_${randomBytes(6).toString('hex')}`
  beforeAll(async () => {
    database = await createTestDatabase()
    await database.dataSource.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${role}'`)
    for (const [name, value] of Object.entries(hostileSettings))
      await database.dataSource.query(`ALTER ROLE ${role} SET ${name} = ${value}`)
  })
  afterAll(async () => {
    await database.dataSource.query(`DROP ROLE ${role}`)
    await database.drop()
  })

  const urlOf = (parameters = '') => {
    const url = new URL(database.url)
    url.username = url.password = role
    url.search = parameters
    return url.href
  }
  const settingsOf = async (config: ReturnType<typeof loadConfig>, kind = {}): Promise<Settings> => {
    const { Client, ...options } = connectionOptions(config, kind)
    const client = new Client(options)
    await client.connect()
    const { rows } = await client.query<{ settings: Settings }>(shown)
    await client.end()
    return rows[0]?.settings ?? {}
  }

  it('C1: has the settings that statements depend on, whatever its role is set to', async () => {
    const config = loadConfig({ DATABASE_URL: urlOf() })
    const settings = await settingsOf(config)
    expect(settings).toMatchObject({
      DateStyle: 'ISO, MDY',
      IntervalStyle: 'postgres',
      TimeZone: 'UTC',
      extra_float_digits: '1',
      bytea_output: 'hex',
      standard_conforming_strings: 'on',
      statement_timeout: '0',
      lock_timeout: '0',
      idle_session_timeout: '0',
      idle_in_transaction_session_timeout: '0',
      default_transaction_isolation: 'read committed',
      default_transaction_read_only: 'off',
      synchronous_commit: 'on',
      search_path: '"$user", public',
      array_nulls: 'on',
    })
    const prepared = new PreparedStatements(config)
    const [row] = await prepared.query<{ at: Date; tasks: string; mode: string }>(
      `SELECT '2026-02-01T10:00:00Z'::timestamptz AS at, (SELECT count(*) FROM tasks) AS tasks,
        current_setting('plan_cache_mode') AS mode`,
    )
    await prepared.onApplicationShutdown()
    expect(row).toEqual({ at: new Date('2026-02-01T10:00:00Z'), tasks: '0', mode: 'force_generic_plan' })
  })

  it('C1: leaves a database read-only that was made so, and does what else the server was set to', async () => {
    const other = await createTestDatabase()
    await other.dataSource.query(
      `ALTER DATABASE ${new URL(other.url).pathname.slice(1)} SET default_transaction_read_only = on`,
    )
    const settings = await settingsOf(loadConfig({ DATABASE_URL: other.url }))
    expect(settings['default_transaction_read_only']).toBe('on')
    await other.drop()
  })

  it("C2: merges the URL's options and name with ours, of which only those win that correctness depends on", async () => {
    const options =
      '?options=-c%20statement_timeout%3D30000%20-c%20datestyle%3DGerman&application_name=clinic&connect_timeout=3'
    const settings = await settingsOf(loadConfig({ DATABASE_URL: urlOf(options) }), {
      isDirect: true,
      session: { search_path: 'memoryguard_queue' },
    })
    expect(settings).toMatchObject({
      statement_timeout: '30000',
      DateStyle: 'ISO, MDY',
      application_name: 'clinic',
      search_path: 'memoryguard_queue',
    })
  })

  it('C2: goes on to the host that can be written to', async () => {
    const { port } = new URL(database.url)
    const url = urlOf('?target_session_attrs=read-write').replace(`127.0.0.1:${port}`, `127.0.0.1:1,127.0.0.1:${port}`)
    const dataSource = createDataSource(loadConfig({ DATABASE_URL: url }))
    await dataSource.initialize()
    expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await dataSource.destroy()
  })

  it('C2: is made to the next host while those before it are silent, and no pool gives up meanwhile', async () => {
    const { port } = new URL(database.url)
    const silent = await Promise.all([startTcpProxy(Number(port)), startTcpProxy(Number(port))])
    for (const proxy of silent) proxy.silenceAll()
    const hosts = [...silent.map((proxy) => proxy.port), port].map((each) => `127.0.0.1:${each}`)
    const url = urlOf().replace(`127.0.0.1:${port}`, hosts.join())
    const dataSource = createDataSource(loadConfig({ DATABASE_URL: url }))
    await dataSource.initialize()
    expect(await dataSource.query('SELECT inet_server_port() AS port')).toEqual([{ port: Number(port) }])
    await dataSource.destroy()
    for (const proxy of silent) await proxy.close()
  })

  it('C2: takes PGOPTIONS of the shell as hostile as a role', async () => {
    process.env['PGOPTIONS'] = '-c datestyle=German -c statement_timeout=1'
    try {
      const settings = await settingsOf(loadConfig({ DATABASE_URL: database.url }))
      expect(settings).toMatchObject({ DateStyle: 'ISO, MDY', statement_timeout: '0' })
    } finally {
      delete process.env['PGOPTIONS']
    }
  })

  it('C3: gives a statement the same name in each process', async () => {
    const prepared = new PreparedStatements(database.config)
    const names = 'SELECT name, statement FROM pg_prepared_statements'
    expect(await prepared.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    const seen = await prepared.query<{ name: string }>(names)
    await prepared.onApplicationShutdown()
    expect(seen.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^memoryguard_[0-9a-f]{32}$/))
  })
})
