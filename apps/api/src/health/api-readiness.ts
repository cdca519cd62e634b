import { DatabaseReadiness } from '#libs/database'
import { Readiness, type ReadinessReport } from '#libs/health'
import { ModelCatalogue } from '#libs/ml/manifest'
import { Lifecycle } from '#libs/platform'
import { Injectable } from '@nestjs/common'

/** Whether the api can store submissions. An outage of the broker does not count: work is enqueued later. */
@Injectable()
export class ApiReadiness {
  constructor(
    private readonly readiness: Readiness,
    private readonly lifecycle: Lifecycle,
    private readonly database: DatabaseReadiness,
    private readonly catalogue: ModelCatalogue,
  ) {}

  report(): Promise<ReadinessReport> {
    const { lifecycle, catalogue, database } = this
    return this.readiness.report({
      lifecycle: async () => (lifecycle.state === 'ready' ? undefined : lifecycle.state),
      models: async () => catalogue.defaultFault,
      database: () => database.findFault(),
    })
  }
}
