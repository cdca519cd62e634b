import { RetentionRepository } from '#libs/database'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { reaches, type Principal } from './access.js'

/** A row and the person it is about; null if it is about nobody in particular. */
interface OwnedRow {
  readonly userId: number | string | null
}

const goneMessage = 'It was erased, or it is past the time for which results are kept.'

/**
 * Checks whether a caller may see a row; every look-up for a caller goes through it. For a key that is bound to a person,
 * the error and its duration are the same for a row of someone else, an erased row and a row that never existed.
 */
@Injectable()
export class ReachableRows {
  constructor(
    private readonly retention: RetentionRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND; RESOURCE_GONE to keys that are not bound. */
  async prediction<Row extends OwnedRow>(row: Row | null | undefined, id: number, principal: Principal): Promise<Row> {
    if (row && isWithinReach(principal, row)) return row
    throw await missing(principal, 'There is no such prediction.', () => this.retention.wasPrediction(id))
  }

  /**
   * A task, or with a `notFoundMessage` of its own what has the id of a task.
   * @throws MemoryGuardError RESOURCE_NOT_FOUND; RESOURCE_GONE to keys that are not bound.
   */
  async task<Row extends OwnedRow>(
    row: Row | null | undefined,
    id: string,
    principal: Principal,
    notFoundMessage = 'There is no such task.',
  ): Promise<Row> {
    if (row && isWithinReach(principal, row)) return row
    throw await missing(principal, notFoundMessage, () =>
      this.retention.wasTask(id, this.config.retention.resultTtlSeconds),
    )
  }
}

/** Whether the principal reaches the row; then the row's person was seen. */
const isWithinReach = (principal: Principal, { userId }: OwnedRow): boolean => {
  const person = userId === null ? null : Number(userId)
  if (!reaches(principal, person)) return false
  if (person !== null) principal.seen?.add(person)
  return true
}

const missing = async (
  { userId }: Principal,
  notFoundMessage: string,
  wasThere: () => Promise<boolean>,
): Promise<MemoryGuardError> =>
  userId === null && (await wasThere())
    ? new MemoryGuardError('RESOURCE_GONE', goneMessage)
    : new MemoryGuardError('RESOURCE_NOT_FOUND', notFoundMessage)
