import { describe, expect, it } from 'vitest'
import { cookieText, readCookie } from './cookies.js'

describe('cookies', () => {
  it('are written for one host, out of reach of scripts', () => {
    const cookie = { name: 'mg', value: 'a-b_c', maxAgeSeconds: 60.7, sameSite: 'Strict', isSecure: false } as const
    expect(cookieText(cookie)).toBe('mg=a-b_c; Path=/; Max-Age=60; HttpOnly; SameSite=Strict')
    expect(cookieText({ ...cookie, isSecure: true, sameSite: 'Lax' })).toBe(
      'mg=a-b_c; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
    )
  })

  it.each([
    ['mg=a', 'a'],
    ['other=1; mg=a; more=2', 'a'],
    ['other=1;mg=a', 'a'],
    ['mg=a=b', 'a=b'],
    ['mg=a; mg=b', 'a'],
    ['mg=', undefined],
    ['mg', undefined],
    ['MG=a', undefined],
    ['xmg=a', undefined],
    ['__Host-mg=a', undefined],
    ['=mg', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('are read from %j', (header, value) => {
    expect(readCookie(header, 'mg')).toBe(value)
  })
})
