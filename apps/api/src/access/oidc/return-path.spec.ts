import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { continuationPage, localPath } from './return-path.js'

describe('the path to go on to', () => {
  it.each(['/', '/tasks', '/tasks?state=failed&a=%2F%2Fb', '/a//b', '/a#b', '/@evil.example', '/:80', '/%5c'])(
    'may be %s',
    (path) => expect(localPath.safeParse(path).success).toBe(true),
  )

  it.each([
    '',
    'a',
    '//a',
    '///a',
    '/\\a',
    '\\/a',
    '/a\\b',
    '/\ta',
    '/\na',
    ' /a',
    '/a b',
    '/ä',
    'http:/a',
    'http://a',
    '?a',
  ])('may not be %j', (path) => expect(localPath.safeParse(path).success).toBe(false))

  it('stays with the server, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `/${text}`),
        (path) => {
          if (!localPath.safeParse(path).success) return
          expect(new URL(path, 'https://own.example').origin).toBe('https://own.example')
          const page = continuationPage(path)
          const [, target = ''] = /content="0; url=([^"]*)"/.exec(page) ?? []
          expect(target.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))).toBe(path)
          expect(page.match(/[<>]/g)).toHaveLength(continuationPage('/').match(/[<>]/g)?.length ?? 0)
        },
      ),
    )
  })
})
