import { describe, expect, it } from 'vitest'
import { batchPredictions } from './batch-predictions.task.js'

const faultsOf = (args: unknown) =>
  batchPredictions.args.safeParse(args).error?.issues.map(({ path, message }) => `${path.join('/')} ${message}`) ?? []

const whole = 'must be a whole number from 1 to 9007199254740991'

describe('a long list of arguments', () => {
  it('is checked entry by entry', () => {
    expect(faultsOf({ user_ids: [1, 2], health_metrics_list: [{ age: 70 }, { sex: 'female' }] })).toEqual([])
    expect(faultsOf({ user_ids: [1, 0, 'x'] })).toEqual([`user_ids/1 ${whole}`, `user_ids/2 ${whole}`])
    expect(faultsOf({ user_ids: [1], health_metrics_list: [{ age: null }] })).toEqual([
      'health_metrics_list/0/age must be a number; leave out a metric that is missing',
    ])
    expect(faultsOf({ user_ids: [] })).toEqual(['user_ids must have at least one entry'])
    expect(faultsOf({ user_ids: 1 })).toEqual(['user_ids must be a list'])
  })

  it('A3: has only as many faults as a response shows', () => {
    const user_ids = Array.from({ length: 400_000 }, () => 0)
    expect(faultsOf({ user_ids })).toHaveLength(51)
  })
})
