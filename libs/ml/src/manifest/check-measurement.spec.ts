import { fileURLToPath } from 'node:url'
import { MemoryGuardError } from '#libs/platform'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkMeasurement } from './check-metrics.js'
import { ModelCatalogue } from './model-catalogue.js'
import { FolderScanner } from './folder-scanner.js'

let catalogue: ModelCatalogue

beforeAll(async () => {
  const { models } = await new FolderScanner(fileURLToPath(new URL('../../../../models', import.meta.url))).scan()
  catalogue = new ModelCatalogue(models, 'impairment-screen')
})

const faultsOf = (metrics: Record<string, number | string>) => {
  try {
    checkMeasurement(catalogue, metrics)
  } catch (error) {
    if (error instanceof MemoryGuardError) return error.faults
    throw error
  }
  throw new Error('the measurement was accepted')
}

describe('a measurement', () => {
  it('takes every metric that a model or the known list has, in the widest range, and words', () => {
    const given = { mmse_score: 30, age: 101, sex: 'Male', education: 1, education_years: 7.5, cdr_sob: 4.5, bvrt: 11 }
    expect(checkMeasurement(catalogue, given)).toEqual({ ...given, sex: 1 })
  })

  it.each([
    ['mmse_score', 31, /a whole number from 0 to 30/],
    ['mmse_score', 24.5, /a whole number/],
    ['sex', 0.5, /female, male/],
    ['age', 900, /looks like months, expected years/],
    ['total_cholesterol', 200, /looks like mg\/dL/],
    ['mmse', 24, /is no known metric/],
  ])('refuses %s %d with what would be accepted', (name, value, message) => {
    expect(faultsOf({ [name]: value, bmi: 22 })).toEqual([
      { pointer: `/health_metrics/${name}`, message: expect.stringMatching(new RegExp(message.source, 'i')) },
    ])
  })

  it('must hold something, and every fault is reported at once', () => {
    expect(faultsOf({})).toMatchObject([{ pointer: '/health_metrics' }])
    expect(faultsOf({ age: 400, 'a/b': 1 }).map(({ pointer }) => pointer)).toEqual([
      '/health_metrics/age',
      '/health_metrics/a~1b',
    ])
  })
})

describe('the forecast model', () => {
  it('is the newest of the forecast kind, if there is one', () => {
    expect(catalogue.findForecastModel()?.manifest.name).toBe('mmse-forecast')
    expect(new ModelCatalogue([], 'impairment-screen').findForecastModel()).toBeUndefined()
  })
})
