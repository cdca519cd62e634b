import { PassThrough } from 'node:stream'
import { createLogger, loadConfig, MemoryGuardError } from '#libs/platform'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BrokerOutage } from './broker-outage.js'

const config = loadConfig({})

describe('B6: an outage of the broker', () => {
  let lines: string[]
  let reason: string | undefined
  let outage: BrokerOutage
  const failTimes = async (times: number) => {
    for (let index = 0; index < times; index += 1) outage.failed(new Error('read ECONNRESET'))
    await vi.advanceTimersByTimeAsync(10_000)
  }

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] })
    lines = []
    const target = new PassThrough().on('data', (line: Buffer) => {
      const { msg, reason: logged } = JSON.parse(line.toString()) as { msg: string; reason?: string }
      lines.push(logged === undefined ? msg : `${msg}: ${logged}`)
    })
    outage = new BrokerOutage(config, createLogger('test', 'info', target), async () => {
      if (reason !== undefined) throw new MemoryGuardError('BROKER_UNAVAILABLE', reason)
    })
  })
  afterEach(() => vi.useRealTimers())

  it('is logged once with the reason that the broker gives, once more if it changes, and when it is over', async () => {
    reason = 'DENIED'
    await failTimes(500)
    await failTimes(500)
    reason = 'LOADING'
    await failTimes(500)
    outage.worked()
    outage.worked()
    expect(lines).toEqual(['broker unavailable: DENIED', 'broker unavailable: LOADING', 'broker available again'])
    await failTimes(1)
    expect(lines.at(-1)).toBe('broker unavailable: LOADING')
  })

  it('is logged with the words of the connection if the broker finds nothing wrong', async () => {
    reason = undefined
    await failTimes(3)
    expect(lines).toEqual(['broker unavailable: read ECONNRESET'])
  })
})
