import { withoutEndingSlashes } from '#libs/platform'
import type { RouteOptions } from 'fastify'

interface KnownRoute {
  readonly method: string
  readonly parts: readonly string[]
}

/** The routes of the server by their patterns, to say which methods a path has. */
export class KnownRoutes {
  private readonly routes: KnownRoute[] = []

  add({ method, url }: Pick<RouteOptions, 'method' | 'url'>): void {
    if (url === '*') return
    for (const each of [method].flat()) this.routes.push({ method: each, parts: partsOf(url) })
  }

  /** Methods of the path, sorted, with OPTIONS; none if no route has this path. */
  methodsOf(path: string): readonly string[] {
    const parts = partsOf(path)
    const methods = this.routes.filter((route) => fits(route.parts, parts)).map(({ method }) => method)
    return methods.length === 0 ? [] : [...new Set([...methods, 'OPTIONS'])].sort()
  }
}

const partsOf = (path: string): string[] => withoutEndingSlashes(path.split(/[?#]/, 1)[0] ?? '').split('/')

const fits = (pattern: readonly string[], parts: readonly string[]): boolean =>
  (pattern.length === parts.length || (pattern.at(-1) === '*' && parts.length >= pattern.length)) &&
  pattern.every((part, index) => part === '*' || (part.startsWith(':') ? parts[index] !== '' : part === parts[index]))
