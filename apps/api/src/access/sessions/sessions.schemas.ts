import { roles, signInMethods, type Role, type Session } from '#libs/database'
import { z } from 'zod'
import { strictInput } from '../../http/strict-input.js'

const instant = z.iso.datetime()

/** Longest secret that is taken, in characters. */
const maxSecret = 200
const secret = z
  .string()
  .regex(/^[\w-]+$/, { error: 'must have letters, digits, - and _ alone' })
  .max(maxSecret)

export const signInRequest = strictInput({
  api_key: secret.optional().describe('An API key; it may stand in the Authorization header instead'),
  link_token: secret.optional().describe('What stands behind `#start=` in a one-time link'),
})
  .refine(({ api_key: key, link_token: link }) => key === undefined || link === undefined, {
    path: ['link_token'],
    error: 'must be left out with api_key',
  })
  .meta({ id: 'SignInRequest', examples: [{ api_key: 'mg_your-key' }] })

export type SignInRequest = z.infer<typeof signInRequest>

export const sessionResponse = z
  .strictObject({
    id: z.uuid().describe('Id of the session; what its cookie holds is never shown'),
    name: z.string().describe('Name of the API key, or `oidc:` and the subject'),
    method: z
      .enum(signInMethods)
      .describe('How the sign-in was made: with a key, a one-time link, or at the OIDC issuer'),
    role: z.enum(roles),
    user_id: z.int().nullable().describe("Reaches only this person's data"),
    created_at: instant,
    last_seen_at: instant.describe('Of the last request, to the minute'),
    expires_at: instant.describe('It ends earlier when it is not used'),
    is_current: z.boolean().describe('Whether this request was made with it'),
  })
  .meta({ id: 'Session' })

export type SessionResponse = z.infer<typeof sessionResponse>

export const sessionPage = z
  .strictObject({ items: z.array(sessionResponse), next_cursor: z.null() })
  .meta({ id: 'SessionPage' })

export const linkResponse = z
  .strictObject({
    link_token: z.string().describe('Shown this once; only its hash is stored'),
    expires_at: instant,
  })
  .meta({ id: 'SessionLink' })

export const methodsResponse = z
  .strictObject({
    is_required: z.boolean().describe('Whether everything but this needs a sign-in'),
    api_key: z.boolean().describe('With an API key'),
    link: z.boolean().describe('With a one-time link'),
    oidc: z.boolean().describe('Whether `GET /v1/session/oidc` leads to an OIDC issuer'),
    oidc_label: z.string().nullable().describe('What to call that issuer: `OIDC_LABEL`; null without one'),
  })
  .meta({ id: 'SignInMethods' })

export const meResponse = z
  .strictObject({
    id: z.uuid().describe('Id of the caller in the audit trail'),
    name: z.string().describe('Name of the API key, or `oidc:` and the subject'),
    role: z.enum(roles),
    roles: z.array(z.enum(roles)).describe('The roles whose rights the caller has'),
    user_id: z.int().nullable().describe("Reaches only this person's data"),
    method: z.enum(['key', 'token', 'session']).describe('What the request was made with'),
    features: z.strictObject({
      oidc: z.boolean().describe('Whether browsers can sign in at an OIDC issuer'),
      audit_reads: z.boolean().describe("Whether reads of people's data are recorded"),
    }),
  })
  .meta({ id: 'Me' })

export type MeResponse = z.infer<typeof meResponse>

export const toSessionResponse = (session: Session, currentId?: string): SessionResponse => ({
  id: session.id,
  name: session.name,
  method: session.method,
  role: session.role,
  user_id: session.userId,
  created_at: session.createdAt.toISOString(),
  last_seen_at: session.lastSeenAt.toISOString(),
  expires_at: session.expiresAt.toISOString(),
  is_current: session.id === currentId,
})

/** The role and the ones below it. */
export const rolesUpTo = (role: Role): Role[] => roles.slice(0, roles.indexOf(role) + 1)
