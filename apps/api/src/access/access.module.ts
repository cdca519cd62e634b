import { ApiKeyRepository } from '#libs/database'
import { CONFIG, type Config } from '#libs/platform'
import { Inject, Module } from '@nestjs/common'
import { ApiKeysController } from './api-keys.controller.js'
import { AuditTrail } from './audit-trail.js'
import { AuditController } from './audit.controller.js'
import { KeyCache } from './key-cache.js'
import { ReachableRows } from './reachable-rows.js'

/** Who may do what. `admitRequests` refuses every route that does not say who may use it. */
@Module({
  controllers: [ApiKeysController, AuditController],
  providers: [AuditTrail, KeyCache, ReachableRows],
  exports: [AuditTrail, KeyCache, ReachableRows],
})
export class AccessModule {
  constructor(
    private readonly keys: ApiKeyRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The configured first admin key works from the start. To be called once the database is there. */
  async start(): Promise<void> {
    if (this.config.adminApiKey) await this.keys.ensure(this.config.adminApiKey, 'first admin key', 'admin')
  }
}
