import { describe, expect, it } from 'vitest'
import { parseCeleryUrl } from './celery-url.js'

describe('a URL of Celery', () => {
  it('has the database in its path, and no prefix', () => {
    expect(parseCeleryUrl('redis://:secret@redis:6379/1')).toEqual({
      address: {
        kind: 'node',
        hosts: [{ host: 'redis', port: 6379 }],
        isSecure: false,
        username: undefined,
        password: 'secret',
        database: 1,
        family: 0,
        keyPrefix: '',
        checksCertificate: true,
        caFile: undefined,
      },
    })
  })

  it('may have options for TLS and a prefix of keys', () => {
    const parsed = parseCeleryUrl(
      'rediss://redis/2?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=%2Fca.pem&global_keyprefix=old-',
    )
    expect(parsed).toMatchObject({
      address: { isSecure: true, database: 2, checksCertificate: false, caFile: '/ca.pem', keyPrefix: 'old-' },
    })
  })

  it('may name sentinels and their master', () => {
    expect(parseCeleryUrl('redis+sentinel://one,two/master/2?global_keyprefix=old-')).toMatchObject({
      address: { kind: 'sentinel', database: 2, keyPrefix: 'old-', sentinel: { masterName: 'master' } },
    })
  })

  it.each([
    ['amqp://guest@rabbit//', /must be a Redis URL/],
    ['redis://redis/1?visibility_timeout=2', /option after \? that is not known/],
    ['rediss://redis/1?ssl_cert_reqs=maybe', /required or none/],
    ['rediss://redis/1?ssl_certfile=a.pem', /client certificate/],
    ['sentinel://redis:26379/1', /in this form: redis\+sentinel:/],
    ['redis+cluster://one,two', /a Redis Cluster, which Celery cannot use/],
  ])('%s has a fault', (url, words) => {
    expect(parseCeleryUrl(url)).toEqual({ fault: expect.stringMatching(words) as string })
  })
})
