import { describe, expect, it } from 'vitest'
import { requestFromMeasurements } from './measured-person.js'

const from = new Date('2026-01-01T00:00:00Z')
const at = (day: string, metrics: Record<string, number>) => ({ at: new Date(`${day}T00:00:00Z`), metrics })
const requestOf = (...measurements: ReturnType<typeof at>[]) =>
  requestFromMeasurements(measurements, 'mmse_score', from, [12])

describe('the request of a measured person', () => {
  it('has a visit for each measurement with a score, and no other', () => {
    const { request } = requestOf(
      at('2025-01-01', { mmse_score: 27 }),
      at('2024-01-01', { mmse_score: 0, bmi: 24 }),
      at('2025-06-01', { age: 70 }),
    )
    expect(request).toMatchObject({
      from,
      horizonsMonths: [12],
      history: [
        { at: new Date('2024-01-01T00:00:00Z'), value: 0 },
        { at: new Date('2025-01-01T00:00:00Z'), value: 27 },
      ],
    })
  })

  it('takes each covariate from the newest measurement that holds it, and lets the age grow since', () => {
    const { request, warnings } = requestOf(
      at('2016-01-01', { age: 70, sex: 1, education: 0 }),
      at('2024-01-01', { mmse_score: 27 }),
      at('2006-01-01', { age: 99, education: 1 }),
    )
    expect(request.covariates).toMatchObject({ sex: 1, education: 0 })
    expect(request.covariates?.age).toBeCloseTo(80, 2)
    expect(warnings).toEqual([])
  })

  it('never makes anyone older than a forecast accepts', () => {
    expect(requestOf(at('2006-01-01', { age: 110 })).request.covariates?.age).toBe(120)
  })

  it('leaves what was never measured unknown', () => {
    const { covariates, history } = requestOf().request
    expect(covariates).toEqual({ age: undefined, sex: undefined, education: undefined })
    expect(history).toEqual([])
  })

  it.each([
    [0, 0],
    [4.5, 0],
    [5, undefined],
    [7, undefined],
    [8, 1],
    [20, 1],
  ])('reads from %d years of school the diploma %o, and says so', (years, education) => {
    const { request, warnings } = requestOf(at('2024-01-01', { education_years: years }))
    expect(request.covariates?.education).toBe(education)
    expect(warnings).toEqual([expect.stringContaining('education_years')])
  })

  it('believes a stated diploma more than years of school, however old it is', () => {
    const { request, warnings } = requestOf(
      at('2020-01-01', { education: 0 }),
      at('2024-01-01', { education_years: 15 }),
    )
    expect(request.covariates?.education).toBe(0)
    expect(warnings).toEqual([])
  })
})
