import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLogger } from './logger.js'
import { MemoryGuardError } from '../memory-guard-error.js'

/** What is logged by `write`, line by line. */
const logged = (write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] => {
  const lines: string[] = []
  const target = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(chunk.toString())
      done()
    },
  })
  write(createLogger('test', 'trace', target))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** An error as the database layer throws it: it carries the statement, its parameters and the failing row. */
const databaseError = () =>
  Object.assign(new Error('terminating connection due to administrator command'), {
    name: 'QueryFailedError',
    code: '57P01',
    query: 'INSERT INTO predictions',
    parameters: ['{"mmse_score": 24}'],
    detail: 'Failing row contains (24)',
    driverError: { parameters: ['{"mmse_score": 24}'] },
  })

describe('logger', () => {
  it('writes JSON lines with the service, the level as a word and the time', () => {
    expect(logged((log) => log.warn({ queue: 'predictions' }, 'said'))).toEqual([
      { level: 'warn', service: 'test', time: expect.stringMatching(/^\d{4}-.*Z$/), queue: 'predictions', msg: 'said' },
    ])
  })

  it('removes health data and keys by name, also one level down', () => {
    const secret = { health_metrics: { mmse_score: 24 }, apiKey: 'mg_x', authorization: 'Bearer mg_x' }
    const [line] = logged((log) => log.info({ ...secret, request: { ...secret, id: 'r1' } }, 'said'))
    expect(line).toMatchObject({ request: { id: 'r1' } })
    expect(JSON.stringify(line)).not.toMatch(/mmse_score|mg_x/)
  })

  it('logs of an error its kind, code, words and place, and nothing of the statement that failed', () => {
    const [line] = logged((log) => log.error({ err: databaseError() }, 'said'))
    expect(line?.['err']).toEqual({
      type: 'QueryFailedError',
      code: '57P01',
      message: 'terminating connection due to administrator command',
      stack: expect.stringContaining('logger.spec'),
    })
  })

  it('logs the causes of an error in the same way', () => {
    const err = new MemoryGuardError('DATABASE_UNAVAILABLE', 'The database is away.', { cause: databaseError() })
    const [line] = logged((log) => log.error({ err }, 'said'))
    expect(line).toMatchObject({ err: { code: 'DATABASE_UNAVAILABLE', cause: { type: 'QueryFailedError' } } })
    expect(JSON.stringify(line)).not.toContain('mmse_score')
  })

  it('logs below its level nothing', () => {
    expect(logged((log) => log.child({}, { level: 'error' }).warn('said'))).toEqual([])
  })
})
