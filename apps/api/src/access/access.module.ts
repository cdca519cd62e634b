import { ApiKeyRepository } from '#libs/database'
import { CONFIG, type Config } from '#libs/platform'
import { Inject, Module, type OnApplicationBootstrap } from '@nestjs/common'
import { APP_GUARD } from '@nestjs/core'
import { ApiKeyGuard } from './api-key.guard.js'
import { ApiKeysController } from './api-keys.controller.js'
import { AuditTrail } from './audit-trail.js'
import { AuditController } from './audit.controller.js'
import { KeyCache } from './key-cache.js'
import { ReachableRows } from './reachable-rows.js'

/** Who may do what. Every route is refused unless it says who may use it. */
@Module({
  controllers: [ApiKeysController, AuditController],
  providers: [AuditTrail, KeyCache, ReachableRows, { provide: APP_GUARD, useClass: ApiKeyGuard }],
  exports: [AuditTrail, KeyCache, ReachableRows],
})
export class AccessModule implements OnApplicationBootstrap {
  constructor(
    private readonly keys: ApiKeyRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** The configured first admin key works from the start. */
  async onApplicationBootstrap(): Promise<void> {
    if (this.config.adminApiKey) await this.keys.ensure(this.config.adminApiKey, 'first admin key', 'admin')
  }
}
