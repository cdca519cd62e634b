import { oidcCallerId, oidcName, roles, type Role } from '#libs/database'
import { MemoryGuardError, type OidcConfig } from '#libs/platform'
import { entityId } from '#libs/tasks/contracts'

/** The content of a token whose signature was checked. */
export type Claims = Readonly<Record<string, unknown>>

/** Whom a token is about, and what they may do. */
export interface OidcCaller {
  /** Id for the audit trail. */
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly userId: number | null
}

/** Longest subject, in characters, as OpenID Connect has it. */
const maxSubject = 255

/** Whether a text can be the subject of a token: it is shown in lists and in the audit trail. */
export const isSubject = (text: unknown): text is string =>
  typeof text === 'string' && text !== '' && text.length <= maxSubject && !/\p{Cc}/u.test(text)

/**
 * The caller that a token names.
 * @throws {MemoryGuardError} ACCESS_ROLE_MISSING if no role is mapped, or a bound role comes without a person.
 */
export const callerOfClaims = (claims: Claims, subject: string, oidc: OidcConfig): OidcCaller => {
  const granted = textsOf(claimAt(claims, oidc.roleClaim)).flatMap((text) => oidc.roleMap.get(text) ?? [])
  const [best] = granted.toSorted((one, other) => rankOf(other) - rankOf(one))
  if (!best) {
    throw new MemoryGuardError('ACCESS_ROLE_MISSING', 'Your account has no role here. Ask your administrator for one.')
  }
  const userId = best.isBound ? personOf(claims, oidc) : null
  const id = oidcCallerId({ issuer: oidc.issuer, subject })
  return { id, name: oidcName(subject), role: best.role, userId }
}

/** Of the same role once bound and once not, the one that reaches more. */
const rankOf = ({ role, isBound }: { readonly role: Role; readonly isBound: boolean }): number =>
  2 * roles.indexOf(role) + (isBound ? 0 : 1)

const personOf = (claims: Claims, { userClaim }: OidcConfig): number => {
  const value = userClaim === undefined ? undefined : claimAt(claims, userClaim)
  const person = entityId.safeParse(typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value)
  if (person.success) return person.data
  throw new MemoryGuardError(
    'ACCESS_ROLE_MISSING',
    'Your account is not connected with a person here. Ask your administrator to connect it.',
  )
}

/** A claim by its name or, with dots, by the names on the way to it: a name may itself have dots, as URLs do. */
const claimAt = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name)
    ? claims[name]
    : name.split('.').reduce<unknown>((found, part) => (isRecord(found) ? found[part] : undefined), claims)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const textsOf = (value: unknown): readonly string[] =>
  [value].flat().filter((part): part is string => typeof part === 'string')
