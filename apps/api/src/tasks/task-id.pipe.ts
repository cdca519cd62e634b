import { CeleryCallRepository } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Injectable, type PipeTransform } from '@nestjs/common'
import { validate as isUuid } from 'uuid'

/** Takes our id of a task, or the id by which its Celery caller knows it, which may be any text. */
@Injectable()
export class TaskIdPipe implements PipeTransform<string, Promise<string>> {
  constructor(private readonly calls: CeleryCallRepository) {}

  /** @throws {MemoryGuardError} RESOURCE_NOT_FOUND for what cannot be an id of ours and is no caller's. */
  async transform(id: string): Promise<string> {
    const called = await this.calls.findTask(id)
    if (called !== null) return called
    if (isUuid(id)) return id
    throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such task.')
  }
}
