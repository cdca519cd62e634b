import { type InputFault, MemoryGuardError } from '#libs/platform'
import { MAXIMUM_SCORE } from './forecast-parameters.schema.js'

/** One dated score of the person. */
export interface ForecastVisit {
  /** A `Date`, an ISO 8601 day (midnight UTC) or an ISO 8601 time with its offset. */
  readonly at: Date | string
  /** Whole number from 0 to 30. */
  readonly value: number
}

/** What is known of the person; an absent or null value is averaged over the training population. */
export interface ForecastCovariates {
  /** Years at the reference date (`from`); ages at the visits follow from their dates. */
  readonly age?: number | null | undefined
  /** 0 female, 1 male. */
  readonly sex?: number | null | undefined
  /** 0 without, 1 with a primary-school diploma or more. */
  readonly education?: number | null | undefined
}

/** What a forecast is asked from. */
export interface ForecastRequest {
  /** In any order, at most one value per UTC day, none after `from`; may be empty. */
  readonly history: readonly ForecastVisit[]
  readonly covariates?: ForecastCovariates
  /** Months after `from`, each above 0 and at most 600. */
  readonly horizonsMonths: readonly number[]
  /** Reference date: horizons count from here. */
  readonly from: Date | string
}

/** A checked request: visits oldest first, as years before the reference date. */
export interface CheckedRequest {
  readonly fromMs: number
  readonly visits: readonly { readonly yearsBefore: number; readonly score: number }[]
  readonly horizonsMonths: readonly number[]
  readonly age: number | null
  readonly sex: number | null
  readonly education: number | null
}

const DAY_MS = 86_400_000
const YEAR_MS = 365.25 * DAY_MS
const MAXIMUM_HORIZON_MONTHS = 600
/** Faults named in the message; `faults` holds them all. */
const NAMED_FAULTS = 3
const AGE_YEARS = { min: 18, max: 120 }
const ISO_DAY_OR_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$/

/** The time of a point, `months` (of 30.4375 days) after `fromMs`. */
export function addMonths(fromMs: number, months: number): Date {
  return new Date(fromMs + (months / 12) * YEAR_MS)
}

/**
 * Checks a request and orders its history.
 * @throws {MemoryGuardError} MODEL_INPUT_INVALID with every fault at once; pointers are those of the request in
 * snake_case, e.g. `/history/2/at`.
 */
export function checkRequest(request: ForecastRequest): CheckedRequest {
  const faults: InputFault[] = []
  const fromMs = parseTime(request.from)
  if (fromMs === null) faults.push({ pointer: '/from', message: 'must be an ISO 8601 day or time with its offset' })
  const dated = checkHistory(request.history, fromMs, faults)
  checkHorizons(request.horizonsMonths, faults)
  const { age = null, sex = null, education = null } = request.covariates ?? {}
  if (age !== null && !(age >= AGE_YEARS.min && age <= AGE_YEARS.max)) {
    faults.push({ pointer: '/covariates/age', message: `must be from ${AGE_YEARS.min} to ${AGE_YEARS.max} years` })
  }
  if (sex !== null && sex !== 0 && sex !== 1) {
    faults.push({ pointer: '/covariates/sex', message: 'must be 0 (female) or 1 (male)' })
  }
  if (education !== null && education !== 0 && education !== 1) {
    faults.push({
      pointer: '/covariates/education',
      message: 'must be 0 (no primary-school diploma) or 1 (diploma or more)',
    })
  }
  if (fromMs === null || faults.length > 0) {
    const named = faults.slice(0, NAMED_FAULTS).map((fault) => `${fault.pointer} ${fault.message}`)
    if (faults.length > NAMED_FAULTS) named.push(`and ${faults.length - NAMED_FAULTS} more`)
    throw new MemoryGuardError('MODEL_INPUT_INVALID', `The forecast cannot be made: ${named.join('; ')}.`, { faults })
  }
  const visits = dated
    .sort((one, other) => one.ms - other.ms)
    .map(({ ms, score }) => ({ yearsBefore: (fromMs - ms) / YEAR_MS, score }))
  return { fromMs, visits, horizonsMonths: request.horizonsMonths, age, sex, education }
}

function checkHistory(history: readonly ForecastVisit[], fromMs: number | null, faults: InputFault[]) {
  const firstOfDay = new Map<number, number>()
  const dated: { ms: number; score: number }[] = []
  for (const [index, { at, value }] of history.entries()) {
    const pointer = `/history/${index}`
    if (!Number.isInteger(value) || value < 0 || value > MAXIMUM_SCORE) {
      faults.push({ pointer: `${pointer}/value`, message: `must be a whole number from 0 to ${MAXIMUM_SCORE}` })
    }
    const ms = parseTime(at)
    if (ms === null) {
      faults.push({ pointer: `${pointer}/at`, message: 'must be an ISO 8601 day or time with its offset' })
      continue
    }
    const day = new Date(ms).toISOString().slice(0, 10)
    if (fromMs !== null && ms > fromMs) {
      faults.push({ pointer: `${pointer}/at`, message: `is in the future: ${day} is after the reference date` })
    }
    const first = firstOfDay.get(Math.floor(ms / DAY_MS))
    if (first === undefined) firstOfDay.set(Math.floor(ms / DAY_MS), index)
    else faults.push({ pointer: `${pointer}/at`, message: `is a second value for ${day}, after /history/${first}` })
    dated.push({ ms, score: value })
  }
  return dated
}

function checkHorizons(horizonsMonths: readonly number[], faults: InputFault[]): void {
  if (horizonsMonths.length === 0)
    faults.push({ pointer: '/horizons_months', message: 'must name at least one horizon' })
  for (const [index, months] of horizonsMonths.entries()) {
    if (!(months > 0 && months <= MAXIMUM_HORIZON_MONTHS)) {
      faults.push({
        pointer: `/horizons_months/${index}`,
        message: `must be above 0 and at most ${MAXIMUM_HORIZON_MONTHS} months`,
      })
    }
  }
}

function parseTime(at: Date | string): number | null {
  if (typeof at === 'string' && !ISO_DAY_OR_TIME.test(at)) return null
  const ms = new Date(at).getTime()
  if (Number.isNaN(ms)) return null
  // Date rolls a day such as 31 February over into March: refuse it.
  if (typeof at === 'string' && !isCalendarDay(at.slice(0, 10))) return null
  return ms
}

function isCalendarDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day)
}
