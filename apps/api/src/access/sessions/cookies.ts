/** A cookie for a browser. */
interface Cookie {
  readonly name: string
  /** Of letters, digits, `-` and `_`. */
  readonly value: string
  /** 0 removes it. */
  readonly maxAgeSeconds: number
  readonly sameSite: 'Strict' | 'Lax'
  readonly isSecure: boolean
}

/** Value of a `Set-Cookie` header. No script can read the cookie. */
export const cookieText = ({ name, value, maxAgeSeconds, sameSite, isSecure }: Cookie): string =>
  [
    `${name}=${value}`,
    'Path=/',
    `Max-Age=${Math.floor(maxAgeSeconds)}`,
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(isSecure ? ['Secure'] : []),
  ].join('; ')

/** The value of a cookie in a `Cookie` header: the first one of its name. */
export const readCookie = (header: string | undefined, name: string): string | undefined => {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined
  }
  return undefined
}
