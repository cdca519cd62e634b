import { describe, expect, it } from 'vitest'
import { parseBrokerUrl } from './broker-url.js'

const addressOf = (text: string) => {
  const parsed = parseBrokerUrl(text)
  return 'address' in parsed ? parsed.address : parsed.fault
}
const faultOf = (text: string) => {
  const parsed = parseBrokerUrl(text)
  return 'fault' in parsed ? parsed.fault : undefined
}

describe('B5: the URL of the broker', () => {
  it('names host, port, database and who signs in', () => {
    expect(addressOf('redis://host')).toEqual({
      host: 'host',
      port: 6379,
      isSecure: false,
      username: undefined,
      password: undefined,
      database: 0,
      family: 0,
    })
    expect(addressOf('rediss://us%40er:p%2F%40%3A%23@[::1]:7000/15?family=6')).toEqual({
      host: '::1',
      port: 7000,
      isSecure: true,
      username: 'us@er',
      password: 'p/@:#',
      database: 15,
      family: 6,
    })
    expect(addressOf('redis://:secret@host/')).toMatchObject({ username: undefined, password: 'secret', database: 0 })
  })

  it.each([
    ['http://host', /starting with redis:\/\/ or rediss:\/\/$/],
    ['host:6379', /starting with redis/],
    ['/run/redis.sock', /sockets in the file system are not supported/],
    ['redis+socket:///run/redis.sock', /sockets in the file system are not supported/],
    ['redis://', /such as redis:\/\//],
    ['redis:///0', /must name a host/],
    ['redis://:pw@', /such as redis:\/\//],
    ['redis://:canary/1@host', /%2F/],
    ['redis://:canary#1@host', /%23/],
    ['redis://:canary%@host', /%25/],
    ['redis://host:0', /port from 1/],
    ['redis://host:99999', /such as redis/],
    ['redis://host/zero', /number of a database/],
    ['redis://host/0/1', /number of a database/],
    ['redis://host/-1', /number of a database/],
    ['redis://host/0?ssl_cert_reqs=canary', /option after \?/],
    ['redis://host/0?family=5', /option after \?/],
    ['redis://host/0#canary', /must not contain #/],
  ])('%s is refused in words that show no secret', (text, words) => {
    expect(faultOf(text)).toMatch(words)
    expect(faultOf(text)).not.toMatch(/canary/)
  })
})
