import { ApiKeyRepository, AuditRepository, OidcCallerRepository, SessionRepository } from '#libs/database'
import { createLogger } from '#libs/platform'
import { AuditTrail } from '../../apps/api/src/access/audit-trail.js'
import { CredentialCache } from '../../apps/api/src/access/credential-cache.js'
import { AccessTokens } from '../../apps/api/src/access/oidc/access-tokens.js'
import { OidcIssuer } from '../../apps/api/src/access/oidc/oidc-issuer.js'
import { BrowserRequests } from '../../apps/api/src/access/sessions/browser-requests.js'
import { Sessions } from '../../apps/api/src/access/sessions/sessions.js'
import type { TestDatabase } from './test-database.js'

/** The credentials of an api on a database of a test. */
export const createCredentialCache = ({ dataSource, config }: TestDatabase) => {
  const log = createLogger('test', 'silent')
  const audit = new AuditTrail(new AuditRepository(dataSource))
  const sessions = new Sessions(new SessionRepository(dataSource), audit, config)
  const issuer = new OidcIssuer(config, log)
  const tokens = new AccessTokens(new OidcCallerRepository(dataSource), issuer, config, log)
  const cache = new CredentialCache(new ApiKeyRepository(dataSource), tokens, sessions, new BrowserRequests(config))
  return { cache, sessions, tokens }
}
