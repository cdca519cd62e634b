import { TaskFailureRepository } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { toTaskFilter } from './search-filter.js'
import { conditionsOf } from './search-language.js'
import { failureStates, sparklineParts, type FailureQuery, type FailureResponse } from './task-search.schemas.js'

/** Without `since`, failures of this time are grouped, in milliseconds. */
const usualMs = 86_400_000

/** Groups failures by error and kind of task, within the reach of a key. */
@Injectable()
export class TaskFailures {
  constructor(private readonly failures: TaskFailureRepository) {}

  /**
   * @throws {MemoryGuardError} REQUEST_INVALID when the search is not understood, ends before it begins, or is for tasks
   * that have no errors.
   */
  async group(query: FailureQuery, principal: Principal): Promise<FailureResponse> {
    const conditions = conditionsOf(query)
    const until = conditions.until ?? new Date()
    const since = conditions.since ?? new Date(until.getTime() - usualMs)
    if (since >= until) {
      // With an end of its own the search is refused above.
      const faults = [{ pointer: '/since', message: 'must not be in the future' }]
      throw new MemoryGuardError('REQUEST_INVALID', 'The time is empty; see `errors`.', { faults })
    }
    const states = failureStates.filter((state) => conditions.state?.includes(state) ?? true)
    if (states.length === 0) throw noFailures(query.state ? '/state' : '/q')
    const filter = toTaskFilter(conditions, principal)
    const time = { since, until, parts: sparklineParts }
    const found = filter && (await this.failures.group(filter, states, time))
    const countedFrom = found?.countedFrom ?? null
    return {
      since: since.toISOString(),
      until: until.toISOString(),
      items: (found?.groups ?? []).map(({ errorCode, name, count, firstAt, lastAt, sample, parts }) => ({
        error_code: errorCode,
        name,
        count,
        count_is_capped: countedFrom !== null,
        first_at: firstAt.toISOString(),
        last_at: lastAt.toISOString(),
        sample: sample.map(({ id, message }) => ({ id, message })),
        sparkline: [...parts],
      })),
      is_complete: countedFrom === null,
      counted_from: countedFrom?.toISOString() ?? null,
    }
  }
}

const noFailures = (pointer: string) =>
  new MemoryGuardError('REQUEST_INVALID', 'Only tasks that failed or timed out have errors; see `errors`.', {
    faults: [{ pointer, message: `must have one of the states ${failureStates.join(', ')}, or none` }],
  })
