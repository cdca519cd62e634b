import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { queueNames } from '../queue-names.js'
import { withoutEndingSlashes } from '../without-ending-slashes.js'
import { isEasyToGuess } from './admin-key-strength.js'
import { parseBrokerUrl } from './broker-url.js'
import { parseCeleryUrl } from './celery-url.js'
import { parseDatabaseUrl } from './database-url.js'

export const seconds = (min: number, max = 31_536_000) => {
  const error = `must be a number of seconds from ${min} to ${max}`
  return z.coerce.number({ error }).min(min, { error }).max(max, { error })
}

export const count = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

const listOf = (text: string): string[] => text.split(',').map((part) => part.trim())

/** A text that a parser accepts; otherwise its `fault` is the message. */
const parsedBy = (parse: (text: string) => object) =>
  z.string().superRefine((text, context) => {
    const parsed = parse(text)
    if ('fault' in parsed) context.addIssue({ code: 'custom', message: String(parsed.fault) })
  })

export const brokerUrl = parsedBy(parseBrokerUrl)
export const celeryUrl = parsedBy(parseCeleryUrl)
export const databaseUrl = parsedBy(parseDatabaseUrl)

export const secondsList = z
  .string()
  .transform((text): unknown[] => text.split(','))
  .pipe(z.array(seconds(0)).min(1).max(50))
export const queueList = z
  .string()
  .transform((text) => [...new Set(listOf(text))])
  .pipe(z.array(z.enum(queueNames, { error: `must be a list of queues out of ${queueNames.join(', ')}` })).min(1))

/** Names of Celery's queues, which callers choose. */
export const celeryQueueList = z
  .string()
  .transform((text) => [...new Set(listOf(text))])
  .refine((names) => names.every((name) => name.length > 0 && name.length <= 255), {
    error: 'must be names of queues, separated by commas',
  })

/** Celery's `--autoscale`: the most and the fewest children. */
export const scaleLimits = z
  .string()
  .regex(/^\d+(,\d+)?$/, { error: 'must be one or two numbers, such as 8,2' })
  .transform((text): readonly [number, number] => {
    const [max = 0, min = 1] = text.split(',').map(Number)
    return [max, min]
  })
  .refine(([max, min]) => max <= 256 && min >= 1 && max >= min, {
    error: 'must be the most (up to 256) and the fewest (from 1), such as 8,2',
  })

/** Names of address ranges that `TRUST_PROXY` takes beside addresses. */
const rangeNames = ['loopback', 'linklocal', 'uniquelocal']

const isAddressRange = (text: string): boolean =>
  rangeNames.includes(text) || isIP(text) !== 0 || (isIP(text.split('/', 1)[0] ?? '') !== 0 && ipaddr.isValidCIDR(text))

export const addressRanges = z
  .string()
  .transform(listOf)
  .refine((ranges) => ranges.every(isAddressRange), {
    error: `must be addresses or ranges such as 10.0.0.0/8, or ${rangeNames.join(', ')}, separated by commas`,
  })

/** The form in which a browser names an origin: without a path, a slash at the end or a default port. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

export const origins = z
  .string()
  .transform(listOf)
  .refine((list) => (list.length === 1 && list[0] === '*') || list.every(isOrigin), {
    error: 'must be origins such as https://app.example.org, without a path, separated by commas; or * alone',
  })

const publicUrlError = 'must be a URL, starting with https:// or http://'
export const publicUrl = z
  .string()
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), { error: publicUrlError })
  .refine((text) => !/[?#@]/.test(text), { error: 'must be a URL without a query, a fragment or a password' })
  .transform(withoutEndingSlashes)

/** A host as a browser names it in `Host`, without a port and in lower case. */
const isHostName = (text: string): boolean => /^[a-z\d](?:[a-z\d._-]{0,251}[a-z\d])?$/.test(text)

export const hostNames = z
  .string()
  .transform((text) => listOf(text.toLowerCase()))
  .refine((list) => list.every(isHostName), {
    error: 'must be host names such as memoryguard.example.org, without a port, separated by commas',
  })

const makeAdminKey = 'make one with `echo "mg_$(openssl rand -hex 32)"`'
export const adminKey = z
  .string()
  .regex(/^mg_[A-Za-z0-9_-]{20,}$/, {
    error: `must be mg_ and at least 20 letters, digits, - or _: ${makeAdminKey}`,
    abort: true,
  })
  .refine((key) => !isEasyToGuess(key), `is easy to guess: ${makeAdminKey}`)

/** The base URL of a collector, without an ending slash. */
export const otlpEndpoint = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:/i.test(text), {
    error: 'must be a URL with http or https',
    abort: true,
  })
  .refine((text) => new URL(text).username === '' && new URL(text).password === '', {
    error: 'must be a URL without a user and a password: write them into OTEL_EXPORTER_OTLP_HEADERS',
  })
  .transform(withoutEndingSlashes)

const decode = (text: string): string | null => {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

/** The headers in `name=value,...`, as the specification of OpenTelemetry has them; null if they cannot be read. */
export const parseOtlpHeaders = (text: string): Readonly<Record<string, string>> | null => {
  const headers: Record<string, string> = {}
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const [name = '', value] = part.split(/=(.*)/s, 2).map((each) => each.trim())
    if (!/^[\w-]+$/.test(name) || value === undefined || /\s/.test(value)) return null
    const decoded = decode(value)
    if (decoded === null) return null
    headers[name] = decoded
  }
  return headers
}

export const otlpHeaders = z
  .string()
  .refine((text) => parseOtlpHeaders(text) !== null, { error: 'must be name=value, separated by commas' })
