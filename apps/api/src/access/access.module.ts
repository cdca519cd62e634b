import { Module } from '@nestjs/common'
import { AccessLog } from './access-log.js'
import { ApiKeysController } from './api-keys.controller.js'
import { AuditTrail } from './audit-trail.js'
import { AuditController } from './audit.controller.js'
import { BootstrapKey } from './bootstrap-key.js'
import { CredentialCache } from './credential-cache.js'
import { AccessTokens } from './oidc/access-tokens.js'
import { OidcIssuer } from './oidc/oidc-issuer.js'
import { OidcSignIn } from './oidc/oidc-sign-in.js'
import { OidcController } from './oidc/oidc.controller.js'
import { ReachableRows } from './reachable-rows.js'
import { BrowserRequests } from './sessions/browser-requests.js'
import { SessionLinks } from './sessions/session-links.js'
import { SessionStart } from './sessions/session-start.js'
import { SessionController } from './sessions/session.controller.js'
import { SessionsController } from './sessions/sessions.controller.js'
import { Sessions } from './sessions/sessions.js'
import { SignIns } from './sign-ins.js'

/** Who may do what. `admitRequests` refuses every route that does not say who may use it. */
@Module({
  controllers: [ApiKeysController, AuditController, OidcController, SessionController, SessionsController],
  providers: [
    AccessLog,
    AccessTokens,
    AuditTrail,
    BootstrapKey,
    BrowserRequests,
    CredentialCache,
    OidcIssuer,
    OidcSignIn,
    ReachableRows,
    SessionLinks,
    Sessions,
    SessionStart,
    SignIns,
  ],
  exports: [AuditTrail, CredentialCache, ReachableRows],
})
export class AccessModule {}
