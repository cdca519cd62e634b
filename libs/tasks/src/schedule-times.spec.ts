import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkTiming, maxCaughtUp, planFiring, ticksAfter, type Timing } from './schedule-times.js'

const cronIn = (cron: string, timeZone = 'UTC'): Timing => ({ cron, timeZone, intervalSeconds: null })
const every = (intervalSeconds: number): Timing => ({ cron: null, timeZone: null, intervalSeconds })
const at = (text: string) => new Date(text)
const iso = (times: readonly Date[]) => times.map((time) => time.toISOString().replace('.000Z', 'Z'))
const pointersOf = (timing: Timing) => checkTiming(timing).map(({ pointer }) => pointer)

describe('a timing', () => {
  it.each([
    '* * * * *',
    '*/5 9-17 * * mon-fri',
    '0 0 29 2 *',
    '0 0 L * *',
    '0 0 * * 5#5',
    '30 0 0 1 1 *',
    '@daily',
    '0 0 31 2 1',
  ])('may be the cron %s', (cron) => expect(checkTiming(cronIn(cron))).toEqual([]))

  it.each([
    '',
    '*',
    '* * * *',
    '* * * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    '1.5 * * * *',
    '? * * * *',
    '@reboot',
    '2030-01-01T00:00:00',
    'noon',
  ])('is not the cron "%s"', (cron) => expect(pointersOf(cronIn(cron))).toEqual(['/cron']))

  it.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *', '0 0 31 feb *'])('is not %s, which never comes', (cron) => {
    expect(checkTiming(cronIn(cron))).toEqual([{ pointer: '/cron', message: expect.stringContaining('never') }])
  })

  it.each(['Mars/Phobos', '', '+02:00', 'local'])('is not in the time zone "%s"', (zone) => {
    expect(pointersOf(cronIn('0 0 * * *', zone))).toEqual(['/time_zone'])
  })

  it('is a cron or an interval, not both, and a time zone belongs to a cron', () => {
    expect(pointersOf({ ...every(5), cron: '* * * * *', timeZone: 'UTC' })).toEqual(['/interval_seconds'])
    expect(pointersOf({ cron: null, timeZone: null, intervalSeconds: null })).toEqual(['/cron'])
    expect(pointersOf({ ...every(5), timeZone: 'UTC' })).toEqual(['/time_zone'])
    expect(pointersOf(cronIn('no', 'nowhere'))).toEqual(['/time_zone', '/cron'])
  })
})

describe('ticks where the clocks are put forward', () => {
  it.each([
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z']],
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00:00Z', ['2026-03-08T07:00:00Z', '2026-03-09T06:30:00Z']],
    // Where it happens at midnight, and where it is half an hour.
    ['Africa/Cairo', '0 0 * * *', '2026-04-23T12:00:00Z', ['2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z']],
    ['America/Santiago', '0 0 * * *', '2026-09-05T12:00:00Z', ['2026-09-06T04:00:00Z', '2026-09-07T03:00:00Z']],
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-03T12:00:00Z', ['2026-10-03T15:30:00Z', '2026-10-04T15:15:00Z']],
  ])('%s: a daily tick in the gap comes right after it', (zone, cron, after, expected) => {
    expect(iso(ticksAfter(cronIn(cron, zone), at(after), 2))).toEqual(expected)
  })

  it('go on evenly if they come through the day', () => {
    expect(iso(ticksAfter(cronIn('30 * * * *', 'Europe/Berlin'), at('2026-03-29T00:00:00Z'), 3))).toEqual([
      '2026-03-29T00:30:00Z',
      '2026-03-29T01:30:00Z',
      '2026-03-29T02:30:00Z',
    ])
  })
})

describe('ticks where the clocks are put back', () => {
  it('come once if they come once a day, at the first of both times', () => {
    expect(iso(ticksAfter(cronIn('30 2 * * *', 'Europe/Berlin'), at('2026-10-24T12:00:00Z'), 2))).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ])
  })

  it('go on evenly if they come through the day', () => {
    expect(iso(ticksAfter(cronIn('*/30 * * * *', 'Europe/Berlin'), at('2026-10-25T00:00:00Z'), 4))).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
    ])
  })
})

describe('firing', () => {
  const due = at('2026-05-01T12:00:00Z')
  const plan = (timing: Timing, catchUp: 'none' | 'one' | 'all', now: string) => {
    const { ticks, nextRunAt } = planFiring({ ...timing, catchUp, nextRunAt: due }, at(now))
    return [...iso(ticks), 'then', ...iso(nextRunAt ? [nextRunAt] : [])]
  }

  it.each(['none', 'one', 'all'] as const)('runs a tick that is on time, with %s', (catchUp) => {
    for (const timing of [every(60), cronIn('* * * * *')]) {
      for (const now of ['2026-05-01T12:00:00Z', '2026-05-01T12:00:02Z']) {
        expect(plan(timing, catchUp, now)).toEqual(['2026-05-01T12:00:00Z', 'then', '2026-05-01T12:01:00Z'])
      }
    }
  })

  it('leaves out no tick of a short interval when a poll comes a little late', () => {
    for (const timing of [every(1), cronIn('* * * * * *')]) {
      expect(plan(timing, 'one', '2026-05-01T12:00:02Z')).toEqual([
        '2026-05-01T12:00:00Z',
        '2026-05-01T12:00:01Z',
        '2026-05-01T12:00:02Z',
        'then',
        '2026-05-01T12:00:03Z',
      ])
    }
  })

  it.each([
    ['none', []],
    ['one', ['2026-05-01T12:03:00Z']],
    ['all', ['2026-05-01T12:00:00Z', '2026-05-01T12:01:00Z', '2026-05-01T12:02:00Z', '2026-05-01T12:03:00Z']],
  ] as const)('with %s makes up for missed ticks accordingly', (catchUp, expected) => {
    for (const timing of [every(60), cronIn('* * * * *')]) {
      expect(plan(timing, catchUp, '2026-05-01T12:03:30Z')).toEqual([...expected, 'then', '2026-05-01T12:04:00Z'])
    }
  })

  it('runs one if the newest is on time, whatever was missed before it', () => {
    expect(plan(every(60), 'one', '2026-05-01T12:03:01Z')).toEqual([
      '2026-05-01T12:03:00Z',
      'then',
      '2026-05-01T12:04:00Z',
    ])
  })

  it('makes up for a bounded number, the newest', () => {
    const now = at('2026-06-01T12:00:00.500Z')
    for (const timing of [every(1), cronIn('* * * * * *')]) {
      const { ticks, nextRunAt } = planFiring({ ...timing, catchUp: 'all', nextRunAt: due }, now)
      expect(ticks).toHaveLength(maxCaughtUp)
      expect(iso([ticks.at(-1) ?? due, nextRunAt ?? due])).toEqual(['2026-06-01T12:00:00Z', '2026-06-01T12:00:01Z'])
    }
  })

  it('runs the tick that was due even if the rules of its zone have changed since', () => {
    const timing = cronIn('0 3 * * *', 'Europe/Berlin')
    expect(planFiring({ ...timing, catchUp: 'one', nextRunAt: due }, at('2026-05-01T12:00:01Z')).ticks).toEqual([due])
  })

  it('covers every tick exactly once, however late each poll is', () => {
    const timings = fc.oneof(
      fc.integer({ min: 1, max: 100 }).map(every),
      fc
        .tuple(
          fc.constantFrom('*/7 * * * *', '0 2 * * *', '*/20 1-3 * * *', '@hourly'),
          fc.constantFrom('UTC', 'Europe/Berlin', 'Africa/Cairo'),
        )
        .map(([cron, zone]) => cronIn(cron, zone)),
    )
    fc.assert(
      fc.property(timings, fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 20 }), (timing, delays) => {
        const start = at('2026-10-24T20:00:00Z')
        const [first = start] = ticksAfter(timing, start, 1)
        let nextRunAt: Date | null = first
        let now = first
        const fired: Date[] = []
        for (const delay of delays) {
          now = new Date(Math.max(now.getTime(), nextRunAt?.getTime() ?? 0) + delay)
          const firing = planFiring({ ...timing, catchUp: 'all', nextRunAt }, now)
          fired.push(...firing.ticks)
          nextRunAt = firing.nextRunAt
        }
        expect(fired).toEqual(ticksAfter(timing, start, fired.length))
      }),
      { numRuns: 100 },
    )
  })
})
