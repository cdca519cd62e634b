/** A request of a list, with the key that sends it. */
export interface Route {
  readonly path: string
  readonly key: string
  /** Who sends it, for the table. */
  readonly as: 'admin' | 'bound'
  readonly method?: 'GET' | 'POST'
  readonly body?: string
}

/** What was measured, in milliseconds. */
export interface Figure {
  readonly name: string
  readonly p50: number
  readonly p95: number
  readonly max: number
  /** Responses by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Most that p95 may be; without it the figure only informs. */
  readonly barMs?: number
  readonly route?: Route
}

/** Most milliseconds at p95 of any list. */
const listBarMs = 300
/** Longest time to wait for a response, in milliseconds. */
const giveUpMs = 60_000

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

/** The figure of some times. */
export const toFigure = (name: string, times: readonly number[], more: Partial<Figure> = {}): Figure => {
  const sorted = times.toSorted((a, b) => a - b)
  const [p50, p95, max] = [percentile(sorted, 0.5), percentile(sorted, 0.95), sorted.at(-1) ?? 0]
  return { name, p50, p95, max, statuses: {}, ...more }
}

const send = async (url: string, { path, key, method = 'GET', body }: Route): Promise<readonly [number, number]> => {
  const startedAt = performance.now()
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body }),
    signal: AbortSignal.timeout(giveUpMs),
  })
  await response.arrayBuffer()
  return [response.status, performance.now() - startedAt]
}

const countStatuses = (statuses: readonly number[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** One request after the other; the first, which warms the caches, is not counted. */
export const measure = async (url: string, route: Route, rounds: number): Promise<Figure> => {
  await send(url, route)
  const responses: (readonly [number, number])[] = []
  for (let round = 0; round < rounds; round += 1) responses.push(await send(url, route))
  return toFigure(
    `${route.as} ${route.method ?? 'GET'} ${route.path}`,
    responses.map(([, ms]) => ms),
    { statuses: countStatuses(responses.map(([status]) => status)), barMs: listBarMs, route },
  )
}

/** Many at once, of all routes by turns: none may be turned away. */
export const measureTogether = async (
  url: string,
  routes: readonly (Route | undefined)[],
  atOnce: number,
): Promise<Figure> => {
  const known = routes.filter((route) => route !== undefined)
  const responses: (readonly [number, number])[] = []
  for (let first = 0; first < known.length; first += atOnce) {
    responses.push(...(await Promise.all(known.slice(first, first + atOnce).map((route) => send(url, route)))))
  }
  return toFigure(
    `${atOnce} lists at once`,
    responses.map(([, ms]) => ms),
    { statuses: countStatuses(responses.map(([status]) => status)) },
  )
}

/** Whether no figure misses its bar and no list was turned away. */
export const printTable = (figures: readonly Figure[], say: (line: string) => void): boolean => {
  let isMet = true
  say('| p50 ms | p95 ms | max ms | responses | what |')
  say('|---:|---:|---:|---|---|')
  for (const { name, p50, p95, max, statuses, barMs } of figures) {
    const isMissed =
      (barMs !== undefined && p95 > barMs) || Object.keys(statuses).some((status) => Number(status) >= 500)
    if (isMissed) isMet = false
    const cells = [p50, p95, max].map((ms) => ms.toFixed(1))
    const counts = Object.entries(statuses).map(([status, count]) => `${status} x ${count}`)
    say(`| ${cells.join(' | ')} | ${counts.join(', ')} | ${isMissed ? 'MISSED ' : ''}${name} |`)
  }
  return isMet
}
