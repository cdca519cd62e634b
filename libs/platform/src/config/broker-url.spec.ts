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
      kind: 'node',
      hosts: [{ host: 'host', port: 6379 }],
      isSecure: false,
      username: undefined,
      password: undefined,
      database: 0,
      family: 0,
    })
    expect(addressOf('rediss://us%40er:p%2F%40%3A%23@[::1]:7000/15?family=6')).toEqual({
      kind: 'node',
      hosts: [{ host: '::1', port: 7000 }],
      isSecure: true,
      username: 'us@er',
      password: 'p/@:#',
      database: 15,
      family: 6,
    })
    expect(addressOf('redis://:secret@host/')).toMatchObject({ username: undefined, password: 'secret', database: 0 })
  })

  it('names members of a cluster, or sentinels and their master', () => {
    expect(addressOf('rediss+cluster://user:canary@one,[::2]:7001,three:7002/')).toEqual({
      kind: 'cluster',
      hosts: [
        { host: 'one', port: 6379 },
        { host: '::2', port: 7001 },
        { host: 'three', port: 7002 },
      ],
      isSecure: true,
      username: 'user',
      password: 'canary',
      database: 0,
      family: 0,
    })
    expect(addressOf('redis+sentinel://:p%2C1@one,two:26380/my-master/2?sentinel_password=p%26&family=4')).toEqual({
      kind: 'sentinel',
      hosts: [
        { host: 'one', port: 26_379 },
        { host: 'two', port: 26_380 },
      ],
      isSecure: false,
      username: undefined,
      password: 'p,1',
      database: 2,
      family: 4,
      sentinel: { masterName: 'my-master', username: undefined, password: 'p&' },
    })
  })

  it.each([
    ['http://host', /starting with redis:\/\/ or rediss:\/\/, or with redis\+cluster/],
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
    ['redis://one,two', /write redis\+cluster:\/\/ for a cluster, redis\+sentinel:\/\/ for sentinels/],
    ['redis+cluster://', /must name a host, such as redis\+cluster:/],
    ['redis+cluster://one,,two', /such as redis\+cluster:.*each port/],
    ['redis+cluster://one,two:0', /each port from 1/],
    ['redis+cluster://one,two/3', /nothing after the last port, for a Redis Cluster has no databases but 0/],
    ['redis+cluster://one?sentinel_password=canary', /option after \?/],
    ['redis+sentinel://one,two', /must name the master that the sentinels know/],
    ['redis+sentinel://one,two/', /must name the master/],
    ['redis+sentinel://one/master/zero', /must name the master/],
    ['redis+sentinel://:canary/x@one/master', /%2F/],
    ['redis-sentinel://:canary@one/0#master', /in this form: redis\+sentinel:/],
    ['sentinel://one;sentinel://two', /in this form: redis\+sentinel:/],
  ])('%s is refused in words that show no secret', (text, words) => {
    expect(faultOf(text)).toMatch(words)
    expect(faultOf(text)).not.toMatch(/canary/)
  })
})
