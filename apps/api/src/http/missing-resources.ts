import { RetentionRepository } from '#libs/database'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'

const goneWords = 'It was erased, or it is past the time for which results are kept.'

/** What to answer about something that is not there: that it is gone, or that it never was. */
@Injectable()
export class MissingResources {
  constructor(
    private readonly retention: RetentionRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** RESOURCE_GONE or RESOURCE_NOT_FOUND, to be thrown. */
  async prediction(id: number): Promise<MemoryGuardError> {
    return toError(await this.retention.wasPrediction(id), 'There is no such prediction.')
  }

  /** RESOURCE_GONE or RESOURCE_NOT_FOUND, to be thrown; a batch has the id of its task. */
  async task(id: string, words = 'There is no such task.'): Promise<MemoryGuardError> {
    return toError(await this.retention.wasTask(id, this.config.retention.resultTtlSeconds), words)
  }
}

const toError = (was: boolean, words: string): MemoryGuardError =>
  was ? new MemoryGuardError('RESOURCE_GONE', goneWords) : new MemoryGuardError('RESOURCE_NOT_FOUND', words)
