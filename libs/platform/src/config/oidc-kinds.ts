import { z } from 'zod'
import type { InputFault } from '../memory-guard-error.js'

const mappableRoles = ['viewer', 'submitter', 'operator', 'admin'] as const

/** What a value of the role claim gives. */
export interface MappedRole {
  readonly role: (typeof mappableRoles)[number]
  /** Whether the caller reaches only the person whom `OIDC_USER_CLAIM` names. */
  readonly isBound: boolean
}

const isLoopback = (url: URL): boolean => /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)

/** Tokens are worth what the way to their issuer is worth: plain http is for one on the same machine. */
const isSafeIssuer = (text: string): boolean => {
  if (!URL.canParse(text) || /[?#@]/.test(text)) return false
  const url = new URL(text)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))
}

export const issuerUrl = z.string().refine(isSafeIssuer, {
  error: 'must be an https URL without a query, a fragment or a password; http is for an issuer on a loopback address',
})

const mapError =
  `must be pairs such as mg-admins=admin, separated by commas, with the roles ${mappableRoles.join(', ')}, ` +
  'or viewer:bound and submitter:bound'

const parseRole = (text: string): MappedRole | undefined => {
  const [name, bound, ...rest] = text.trim().split(':')
  const role = mappableRoles.find((each) => each === name)
  if (role === undefined || rest.length > 0) return undefined
  if (bound === undefined) return { role, isBound: false }
  return bound === 'bound' && (role === 'viewer' || role === 'submitter') ? { role, isBound: true } : undefined
}

/** Values of the role claim with what each gives. */
export const roleMap = z.string().transform((text, context): ReadonlyMap<string, MappedRole> => {
  const map = new Map<string, MappedRole>()
  for (const pair of text.split(',')) {
    const at = pair.lastIndexOf('=')
    const role = parseRole(pair.slice(at + 1))
    const value = pair.slice(0, Math.max(at, 0)).trim()
    if (role === undefined || value === '' || map.has(value)) {
      context.addIssue({ code: 'custom', message: mapError })
      return z.NEVER
    }
    map.set(value, role)
  }
  return map
})

/** Scopes of the sign-in; `openid` has the issuer return who has signed in. */
export const scopes = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/, {
    error: 'must be scopes such as openid profile, separated by blanks',
  })
  .refine((text) => text.split(' ').includes('openid'), { error: 'must have the scope openid' })

/** What is missing for OIDC to be used as the variables ask for. */
export const oidcFaults = (values: Readonly<Record<string, unknown>>): readonly InputFault[] => {
  const isSet = (name: string) => values[name] !== undefined
  const need = (name: string, message: string) => (isSet(name) ? [] : [{ pointer: name, message }])
  if (!isSet('OIDC_ISSUER')) {
    const others = ['OIDC_AUDIENCE', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_ROLE_MAP', 'OIDC_USER_CLAIM']
    return others.filter(isSet).map((pointer) => ({ pointer, message: 'needs OIDC_ISSUER' }))
  }
  const faults = [...need('OIDC_ROLE_MAP', 'is needed with OIDC_ISSUER: without it nobody has a role')]
  if (!isSet('OIDC_AUDIENCE') && !isSet('OIDC_CLIENT_ID')) {
    const message = 'is needed for access tokens, or OIDC_CLIENT_ID for sign-in in a browser'
    faults.push({ pointer: 'OIDC_AUDIENCE', message })
  }
  const map = values['OIDC_ROLE_MAP'] as ReadonlyMap<string, MappedRole> | undefined
  const isAnyBound = [...(map?.values() ?? [])].some(({ isBound }) => isBound)
  if (isAnyBound) faults.push(...need('OIDC_USER_CLAIM', 'is needed for the bound roles of OIDC_ROLE_MAP'))
  else if (map !== undefined && isSet('OIDC_USER_CLAIM')) {
    faults.push({ pointer: 'OIDC_USER_CLAIM', message: 'needs a bound role in OIDC_ROLE_MAP, such as submitter:bound' })
  }
  if (isSet('OIDC_CLIENT_SECRET')) faults.push(...need('OIDC_CLIENT_ID', 'is needed with OIDC_CLIENT_SECRET'))
  if (isSet('OIDC_CLIENT_ID')) {
    faults.push(...need('PUBLIC_URL', 'is needed with OIDC_CLIENT_ID: the issuer sends browsers back there'))
  }
  return faults
}
