import { describe, expect, it } from 'vitest'
import { explainFailure, isDatabaseFailure, noteTarget } from './connection-failure.js'

const refusal = (code: string, message: string, severity = 'FATAL') =>
  Object.assign(new Error(message), { code, severity })

describe('a failure of the database', () => {
  it.each([
    [refusal('28P01', 'password authentication failed for user "app"'), /refuses the user or the password/],
    [refusal('28000', 'no pg_hba.conf entry for host "::1", user "app", database "x", no encryption'), /wants TLS/],
    [refusal('28000', 'no pg_hba.conf entry for host "::1", user "app", database "x", SSL encryption'), /pg_hba/],
    [refusal('3D000', 'database "x" does not exist'), /CREATE DATABASE/],
    [refusal('42501', 'permission denied for schema public', 'ERROR'), /GRANT/],
    [refusal('42P07', 'relation "predictions" already exists', 'ERROR'), /empty database/],
    [refusal('42704', 'unrecognized configuration parameter "x"'), /options/],
    [refusal('08P01', 'unsupported startup parameter: options'), /ignore_startup_parameters/],
    [new Error('The server does not support SSL connections'), /sslmode=disable/],
    [new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), /wants a password/],
    [Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), /sslrootcert/],
    [new Error('received invalid response: 48'), /not PostgreSQL/],
  ])('C4: that lasts is explained: %s', (error, words) => {
    const failure = explainFailure(error)
    expect(failure).toMatchObject({ isLasting: true, sentence: expect.stringMatching(words) })
    expect(failure.sentence).toContain(error.message)
    expect(isDatabaseFailure(Object.assign(new Error('query'), { driverError: error }))).toBe(true)
  })

  it.each([
    [refusal('53300', 'sorry, too many clients already'), /no connection left/],
    [refusal('57P03', 'the database system is starting up'), /starting up/],
    [refusal('25006', 'cannot execute INSERT in a read-only transaction', 'ERROR'), /only be read/],
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' }), /not respond/],
  ])('C4: that passes is waited for: %s', (error, words) => {
    expect(explainFailure(error)).toMatchObject({ isLasting: false, sentence: expect.stringMatching(words) })
  })

  it('C4: names the URL that it comes from, and the size that a pooler in session mode needs', () => {
    const [refused, full] = [refusal('28P01', 'password authentication failed'), new Error('timeout expired')]
    noteTarget(refused, { variable: 'DATABASE_DIRECT_URL', pooling: undefined })
    expect(explainFailure(refused).sentence).toContain('check both in DATABASE_DIRECT_URL')
    noteTarget(full, { variable: 'DATABASE_URL', pooling: 'session' })
    const { sentence, isLasting } = explainFailure(full)
    expect([sentence, isLasting]).toEqual([
      expect.stringMatching(/pooler that DATABASE_URL .* DATABASE_POOL_SIZE/),
      false,
    ])
  })

  it('C4: is no excuse for a fault of ours', () => {
    expect(isDatabaseFailure(refusal('42601', 'syntax error', 'ERROR'))).toBe(false)
    expect(isDatabaseFailure(new TypeError('x is not a function'))).toBe(false)
  })
})
