import { describe, expect, it } from 'vitest'
import { parseDatabaseUrl } from './database-url.js'

describe('an address of PostgreSQL', () => {
  const fields = (text: string) => {
    const parsed = parseDatabaseUrl(text)
    if ('fault' in parsed) throw new Error(parsed.fault)
    return parsed
  }

  it.each([
    ['postgresql://app:secret@db.example:6432/clinic', 'db.example', 6432, 'app', 'secret', 'clinic'],
    ['postgres://app:p@ss/w?o#rd@db/clinic', 'db', undefined, 'app', 'p@ss/w?o#rd', 'clinic'],
    ['postgresql://app:p%40ss@db/clinic?application_name=a@b', 'db', undefined, 'app', 'p@ss', 'clinic'],
    ['postgresql://app:100%@db/clinic', 'db', undefined, 'app', '100%', 'clinic'],
    ['postgresql:///clinic?host=/run/postgresql&user=app', '/run/postgresql', undefined, 'app', undefined, 'clinic'],
    ['postgresql://app@%2Frun%2Fpostgresql/clinic', '/run/postgresql', undefined, 'app', undefined, 'clinic'],
    ['postgresql://app@[::1]:5433/clinic', '::1', 5433, 'app', undefined, 'clinic'],
    [String.raw`host=db dbname=clinic user=app password='it\'s @/'`, 'db', undefined, 'app', "it's @/", 'clinic'],
  ])('C4: is read from %s', (text, host, port, user, password, database) => {
    expect(fields(text)).toMatchObject({ hosts: [{ host, port }], user, password, database })
  })

  it('C2: has several hosts, of which one that can be written to is wanted', () => {
    expect(fields('postgresql://app@a:1,b:2/clinic')).toMatchObject({
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      target: 'read-write',
    })
    expect(fields('host=a,b port=5433 dbname=clinic').hosts).toEqual([
      { host: 'a', port: 5433 },
      { host: 'b', port: 5433 },
    ])
  })

  it('C2: has options, a name, TLS and a time limit', () => {
    const url =
      'postgresql://app@db/clinic?options=endpoint%3Dcool-1%20-c%20statement_timeout%3D30000&application_name=x&sslmode=require&connect_timeout=7'
    expect(fields(url)).toMatchObject({
      options: 'endpoint=cool-1 -c statement_timeout=30000',
      applicationName: 'x',
      tls: 'require',
      connectSeconds: 7,
    })
  })

  it.each([
    'mysql://app@db/clinic',
    'clinic',
    'postgresql://app@db:http/clinic',
    'postgresql://app@db/clinic?sslmode=maybe',
    'postgresql://app@db/clinic?target_session_attrs=standby',
    'postgresql://app@db/clinic?port=99999',
    'postgresql://app@a,b,c/clinic?port=1,2',
    'postgresql://app@db/clinic?connect_timeout=soon',
    '',
  ])('C4: is refused without a word of it: %s', (text) => {
    const parsed = parseDatabaseUrl(text)
    expect(parsed).toHaveProperty('fault')
    expect(JSON.stringify(parsed)).not.toMatch(/clinic|maybe|99999|soon/)
  })
})
