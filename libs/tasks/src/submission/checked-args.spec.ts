import { describe, expect, it } from 'vitest'
import { checkArgs } from './checked-args.js'
import { batchPredictions } from '../contracts/batch-predictions.task.js'

const count = 1_000
const user_ids = Array.from({ length: count }, (_, index) => index + 1)
const metrics = (age: unknown) => Array.from({ length: count }, () => ({ age }))
const faultsOf = async (given: unknown) =>
  ((await checkArgs(batchPredictions, given)).issues ?? []).map(({ path, message }) => `${path.join('/')} ${message}`)

describe('the arguments of a long batch', () => {
  it('A3: are checked in slices, with the outcome of the contract', async () => {
    for (const given of [{ user_ids }, { user_ids, model: 'a', health_metrics_list: metrics(70) }]) {
      expect(await checkArgs(batchPredictions, given)).toEqual({ data: batchPredictions.args.parse(given) })
    }
  })

  it('have the faults of the entries where these stand', async () => {
    const whole = 'must be a whole number from 1 to 9007199254740991'
    expect(await faultsOf({ user_ids: user_ids.with(700, 0) })).toEqual([`user_ids/700 ${whole}`])
    expect(await faultsOf({ user_ids, health_metrics_list: metrics(70).with(999, { age: null }) })).toEqual([
      'health_metrics_list/999/age must be a number; leave out a metric that is missing',
    ])
    expect((await faultsOf({ user_ids: user_ids.map(() => 0) })).length).toBeLessThan(120)
  })

  it('have the faults of the rest once', async () => {
    expect(await faultsOf({ user_ids, model: 1 })).toHaveLength(1)
    expect(await faultsOf({ user_ids, more: 1 })).toHaveLength(1)
    expect(await faultsOf({ user_ids, health_metrics_list: [{}] })).toEqual([
      'health_metrics_list must have one entry for each of user_ids',
    ])
    expect(await faultsOf({ user_ids, health_metrics_list: metrics('\0') })).toEqual([
      ' must not hold the character U+0000',
    ])
  })
})
