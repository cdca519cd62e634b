import { describe, expect, it } from 'vitest'
import { KnownRoutes } from './known-routes.js'

const routes = new KnownRoutes()
for (const [method, url] of [
  ['GET', '/v1/tasks'],
  ['POST', '/v1/tasks/'],
  ['GET', '/v1/tasks/:id'],
  ['POST', '/v1/tasks/retry'],
  ['GET', '/v1/tasks/errors'],
  ['GET', '/v1/models/:name/:version'],
  ['POST', '/v1/models/:name/rollback'],
  ['DELETE', '/v1/:any/caide/:version'],
  ['GET', '/docs/*'],
  ['POST', '/docs/static/:file'],
  ['OPTIONS', '*'],
] as const) {
  routes.add({ method, url })
}

describe('the methods of a path', () => {
  it.each([
    ['/v1/tasks', 'GET, OPTIONS, POST'],
    ['/v1/tasks/?limit=1', 'GET, OPTIONS, POST'],
    ['/v1/tasks/1', 'GET, OPTIONS'],
    ['/v1/tasks/retry', 'OPTIONS, POST'],
    ['/v1/tasks/%72etry', 'OPTIONS, POST'],
    ['/v1/tasks/%zz', 'GET, OPTIONS'],
    ['/v1/tasks/errors', 'GET, OPTIONS'],
    ['/v1/models/caide/1', 'GET, OPTIONS'],
    ['/v1/models/caide/rollback', 'OPTIONS, POST'],
    ['/docs/a/b', 'GET, OPTIONS'],
    ['/docs/static/a', 'OPTIONS, POST'],
    ['/v1/tasks//', 'GET, OPTIONS, POST'],
    ['/v1/none', ''],
    ['/v1/tasks/1/2/3', ''],
  ])('E2: of %s are those of its closest pattern', (path, methods) => {
    expect(routes.methodsOf(path).join(', ')).toBe(methods)
  })

  it.each([
    ['/v1/tasks/:id', '/v1/tasks/retry', true],
    ['/v1/tasks/:id', '/v1/tasks/retry/?x', true],
    ['/v1/tasks/:id', '/v1/tasks/retr%79', true],
    ['/v1/tasks/:id', '/v1/tasks/1', false],
    ['/v1/tasks/retry', '/v1/tasks/retry', false],
    ['/v1/models/:name/:version', '/v1/models/caide/rollback', true],
    ['/v1/models/:name/:version', '/v1/models/rollback/caide', false],
    ['/v1/:any/caide/:version', '/v1/models/caide/rollback', true],
    ['/docs/*', '/docs/static/a', true],
    ['/docs/*', '/docs/static/a/b', false],
  ])('E2: are not those of %s where it is not the closest: %s', (url, path, expected) => {
    expect(routes.isOfAnother(url, path)).toBe(expected)
  })
})
