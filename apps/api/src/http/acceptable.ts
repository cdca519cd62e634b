import { MemoryGuardError } from '#libs/platform'
import { ApiProduces } from '@nestjs/swagger'
import { applyDecorators } from '@nestjs/common'
import { routeOptions } from './route-options.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media types of a successful response. Default: JSON. */
    produces?: readonly string[]
  }
}

/** The media types of a route that does not respond with JSON. */
export const Produces = (...types: readonly string[]) =>
  applyDecorators(routeOptions({ produces: types }), ApiProduces(...types))

const json = ['application/json']

/** One media range of an `Accept` header, in lower case and without parameters, and its weight from 0 to 1. */
interface MediaRange {
  readonly range: string
  readonly weight: number
}

const readRanges = (accept: string): MediaRange[] =>
  accept
    .toLowerCase()
    .split(',')
    .map((part) => {
      const [range = '', ...parameters] = part.split(';').map((text) => text.trim())
      const quality = parameters.find((text) => text.startsWith('q='))?.slice(2)
      const weight = quality === undefined ? 1 : Number(quality)
      return { range, weight: Number.isNaN(weight) ? 1 : weight }
    })
    .filter(({ range }) => range !== '')

/** How much a type is wanted: the most specific range that fits decides (RFC 9110, 12.5.1). */
const weightOf = (type: string, ranges: readonly MediaRange[]): number => {
  for (const range of [type, `${type.split('/', 1)[0]}/*`, '*/*']) {
    const fitting = ranges.filter((each) => each.range === range)
    if (fitting.length > 0) return Math.max(...fitting.map(({ weight }) => weight))
  }
  return 0
}

/** Whether the caller is a browser that shows a page to a person, rather than a program. */
export const prefersHtml = (accept = ''): boolean => {
  const ranges = readRanges(accept)
  return weightOf('text/html', ranges) > weightOf('application/problem+json', ranges)
}

/**
 * The media type to respond with: of those that the caller accepts the one wanted most, and of equals the first.
 * @throws MemoryGuardError REQUEST_NOT_ACCEPTABLE
 */
export const chooseType = (accept: string | undefined, types: readonly string[] = json): string => {
  const first = types[0] ?? ''
  // Files have types of their own, which nobody states when asking for one.
  if (accept === undefined || accept === '*/*' || accept === first || first === '*/*') return first
  const ranges = readRanges(accept)
  if (ranges.length === 0) return first
  const weights = types.map((type) => weightOf(type, ranges))
  const best = Math.max(...weights)
  if (best > 0) return types[weights.indexOf(best)] ?? first
  const available = types.join(' or ')
  throw new MemoryGuardError('REQUEST_NOT_ACCEPTABLE', `This is available as ${available}. Send it in \`Accept\`.`, {
    faults: [{ pointer: 'Accept', message: `must include ${available}` }],
  })
}
