import { Module } from '@nestjs/common'
import { AccessLog } from './access-log.js'
import { ApiKeysController } from './api-keys.controller.js'
import { AuditTrail } from './audit-trail.js'
import { AuditController } from './audit.controller.js'
import { BootstrapKey } from './bootstrap-key.js'
import { KeyCache } from './key-cache.js'
import { ReachableRows } from './reachable-rows.js'

/** Who may do what. `admitRequests` refuses every route that does not say who may use it. */
@Module({
  controllers: [ApiKeysController, AuditController],
  providers: [AccessLog, AuditTrail, BootstrapKey, KeyCache, ReachableRows],
  exports: [AuditTrail, KeyCache, ReachableRows],
})
export class AccessModule {}
