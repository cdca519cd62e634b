import { randomBytes } from 'node:crypto'
import { createDataSource, isDatabaseUnavailable } from '#libs/database'
import { loadConfig } from '#libs/platform'
import type { DataSource } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { query } from '../support/query.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { waitFor } from '../support/wait-for.js'
import { createTestDatabase, type TestDatabase } from '../support/test-database.js'

describe('a connection to the database', () => {
  let database: TestDatabase
  let proxy: TcpProxy
  let dataSource: DataSource

  beforeAll(async () => {
    database = await createTestDatabase()
    const url = new URL(database.url)
    proxy = await startTcpProxy(Number(url.port))
    url.port = String(proxy.port)
    dataSource = createDataSource(loadConfig({ DATABASE_URL: url.href, DATABASE_SILENCE_SECONDS: '0.4' }))
    await dataSource.initialize()
  })
  afterAll(async () => {
    await proxy.close()
    await dataSource.destroy()
    await database.drop()
  })

  it('is left alone while the server works on a statement, however long', async () => {
    expect(await dataSource.query(`SELECT 1 AS done FROM pg_sleep(2)`)).toEqual([{ done: 1 }])
  })

  it('is left alone while a statement waits for a lock', async () => {
    const holder = database.dataSource.createQueryRunner()
    await holder.query('SELECT pg_advisory_lock(1)')
    const waiting = dataSource.query('SELECT 2 AS done FROM pg_advisory_xact_lock(1)')
    // As long as four checks of the guard find it silent.
    await database.dataSource.query('SELECT pg_sleep(2)')
    await holder.query('SELECT pg_advisory_unlock(1)')
    await holder.release()
    expect(await waiting).toEqual([{ done: 2 }])
  })

  it('is left alone while the server works, though it has no connection left to be asked on', async () => {
    const role = `full_${randomBytes(6).toString('hex')}`
    await database.dataSource.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}' CONNECTION LIMIT 1`)
    const url = new URL(database.url)
    url.username = url.password = role
    const full = createDataSource(loadConfig({ DATABASE_URL: url.href, DATABASE_SILENCE_SECONDS: '0.4' }))
    await full.initialize()
    try {
      const working = full.query('SELECT 4 AS done FROM pg_sleep(2)')
      await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '53300' })
      expect(await working).toEqual([{ done: 4 }])
    } finally {
      await full.destroy()
      await database.dataSource.query(`DROP ROLE ${role}`)
    }
  })

  it('is cut when it is dead, and the next statement gets another', async () => {
    proxy.silence()
    const error: unknown = await dataSource.query('SELECT 1').then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(isDatabaseUnavailable(error)).toBe(true)
    expect(await dataSource.query('SELECT 3 AS done')).toEqual([{ done: 3 }])
  })

  it('is not kept to a server that can only be read: the next one may lead to another server', async () => {
    const other = await createTestDatabase()
    const name = new URL(other.url).pathname.slice(1)
    await database.dataSource.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    const pool = createDataSource(loadConfig({ DATABASE_URL: other.url, DATABASE_SILENCE_SECONDS: '0.4' }))
    await pool.initialize()
    const write = () => pool.query('DELETE FROM worker_commands')
    await expect(write()).rejects.toMatchObject({ code: '25006' })
    // For new sessions only, as if their name led to another server now.
    await database.dataSource.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`)
    await waitFor(() => write().then(() => true), { what: 'a connection that can write' })
    await pool.destroy()
    await other.drop()
  })
})
