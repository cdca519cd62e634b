import { ModelRegistry } from '#libs/ml'
import { healthCheck } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import { ResultHandler } from '../execution/result-handler.js'
import { versions, WORKER_NAME } from '../control/worker-name.js'

/** Returns who this worker is and what it serves. */
@Injectable()
export class HealthCheckHandler extends ResultHandler<typeof healthCheck> {
  readonly contract = healthCheck

  constructor(
    @Inject(WORKER_NAME) private readonly worker: string,
    private readonly models: ModelRegistry,
  ) {
    super()
  }

  protected async run() {
    return { worker: this.worker, versions, models: [...this.models.readyReferences] }
  }
}
