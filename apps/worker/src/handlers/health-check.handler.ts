import { TaskRepository, type ClaimedTask } from '#libs/database'
import { ModelRegistry } from '#libs/ml'
import type { Settled } from '#libs/platform'
import { healthCheck } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import { versions, WORKER_NAME } from '../runtime/worker-name.js'
import type { Answered, TaskHandler } from '../runtime/task-handler.js'

interface HealthReport {
  readonly worker: string
  readonly versions: Readonly<Record<string, string>>
  readonly models: readonly string[]
}

/** Says that this worker is there and what it serves. */
@Injectable()
export class HealthCheckHandler implements TaskHandler<HealthReport> {
  readonly contract = healthCheck

  constructor(
    @Inject(WORKER_NAME) private readonly worker: string,
    private readonly models: ModelRegistry,
    private readonly tasks: TaskRepository,
  ) {}

  async compute(tasks: readonly ClaimedTask[]): Promise<readonly Settled<HealthReport>[]> {
    const report = { worker: this.worker, versions, models: this.models.readyReferences }
    return tasks.map(() => ({ value: report }))
  }

  store(answers: readonly Answered<HealthReport>[]): Promise<ReadonlySet<string>> {
    return this.tasks.succeed(
      answers.map(({ task, answer }) => ({ id: task.id, attempt: task.attempt, result: answer })),
    )
  }
}
