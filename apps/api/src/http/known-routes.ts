import { withoutEndingSlashes } from '#libs/platform'
import type { RouteOptions } from 'fastify'

interface KnownRoute {
  readonly methods: Set<string>
  readonly parts: readonly string[]
}

/** The routes of the server by their patterns, to say which methods a path has. */
export class KnownRoutes {
  private readonly routes = new Map<string, KnownRoute>()
  private readonly closer = new Map<string, readonly KnownRoute[]>()

  add({ method, url }: Pick<RouteOptions, 'method' | 'url'>): void {
    if (url === '*') return
    const parts = partsOf(url)
    const route = this.routes.get(parts.join('/')) ?? { methods: new Set(), parts }
    for (const each of [method].flat()) route.methods.add(each)
    this.routes.set(parts.join('/'), route)
  }

  /** Methods of the path, sorted, with OPTIONS: those of its closest pattern. None if no route has this path. */
  methodsOf(path: string): readonly string[] {
    const parts = decoded(path)
    const [closest] = [...this.routes.values()].filter((route) => fits(route.parts, parts)).sort(byCloseness)
    return closest ? [...new Set([...closest.methods, 'OPTIONS'])].sort() : []
  }

  /**
   * Whether the path belongs to a closer pattern than `url`, which the router takes for want of the method: to it,
   * `GET /v1/tasks/retry` is a task named `retry`.
   */
  isOfAnother(url: string, path: string): boolean {
    const closer = this.closer.get(url) ?? this.findCloser(url)
    return closer.some((route) => fits(route.parts, decoded(path)))
  }

  private findCloser(url: string): readonly KnownRoute[] {
    const own = { parts: partsOf(url) }
    const closer = [...this.routes.values()].filter(
      (route) => byCloseness(route, own) < 0 && mayMeet(route.parts, own.parts),
    )
    this.closer.set(url, closer)
    return closer
  }
}

const partsOf = (path: string): string[] => withoutEndingSlashes(path.split(/[?#]/, 1)[0] ?? '').split('/')

/** The parts of a request's path, as the router compares them. */
const decoded = (path: string): string[] =>
  partsOf(path).map((part) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return part
    }
  })

const isName = (part: string | undefined): boolean => part?.startsWith(':') ?? false

const fits = (pattern: readonly string[], parts: readonly string[]): boolean =>
  (pattern.length === parts.length || (pattern.at(-1) === '*' && parts.length >= pattern.length)) &&
  pattern.every((part, index) => part === '*' || (isName(part) ? parts[index] !== '' : part === parts[index]))

/** Whether some path may fit both patterns. A `*` at the end is any number of parts. */
const mayMeet = (left: readonly string[], right: readonly string[]): boolean =>
  (left.length === right.length || left.at(-1) === '*' || right.at(-1) === '*') &&
  left.every((part, index) => part === (right[index] ?? part) || rankOf(part) > 0 || rankOf(right[index]) > 0)

/** Patterns of one path with the closest first: where they differ first, words come before names, and names before `*`. */
const byCloseness = (left: Pick<KnownRoute, 'parts'>, right: Pick<KnownRoute, 'parts'>): number => {
  const index = left.parts.findIndex((part, at) => rankOf(part) !== rankOf(right.parts[at]))
  return index < 0 ? 0 : rankOf(left.parts[index]) - rankOf(right.parts[index])
}

const rankOf = (part: string | undefined): number => (part === '*' || part === undefined ? 2 : isName(part) ? 1 : 0)
