import { isIP } from 'node:net'
import { z } from 'zod'
import { count, url, variable } from './config-variable.js'
import { withoutEndingSlashes } from './without-ending-slashes.js'

const listOf = (text: string): string[] => text.split(',').map((part) => part.trim())

/** Names of address ranges that `TRUST_PROXY` takes beside addresses. */
const rangeNames = ['loopback', 'linklocal', 'uniquelocal']

const isAddressRange = (text: string): boolean => {
  if (rangeNames.includes(text)) return true
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  if (bits === undefined) return true
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

const addressRanges = z
  .string()
  .transform(listOf)
  .refine((ranges) => ranges.every(isAddressRange), {
    error: `must be addresses or ranges such as 10.0.0.0/8, or ${rangeNames.join(', ')}, separated by commas`,
  })

/** The form in which a browser names an origin: without a path, a slash at the end or a default port. */
const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

const origins = z
  .string()
  .transform(listOf)
  .refine((list) => (list.length === 1 && list[0] === '*') || list.every(isOrigin), {
    error: 'must be origins such as https://app.example.org, without a path, separated by commas; or * alone',
  })

const publicUrl = url(['https', 'http'], 'a URL')
  .refine((text) => !/[?#@]/.test(text), { error: 'must be a URL without a query, a fragment or a password' })
  .transform(withoutEndingSlashes)

const perMinute = count(0, 1_000_000_000)

/** Variables of the API's HTTP server. */
export const httpVariables = {
  HOST: variable(z.string().min(1).default('127.0.0.1'), 'Address the API listens on.'),
  PORT: variable(count(0, 65_535).default(3000), 'Port the API listens on.'),
  PUBLIC_URL: variable(
    publicUrl.optional(),
    'URL under which callers reach the API, with the path prefix of a reverse proxy if there is one: `Location` and the OpenAPI document name it. Empty: the path alone is named.',
  ),
  TRUST_PROXY: variable(
    addressRanges.optional(),
    "Addresses of the reverse proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed, such as `10.0.0.0/8` or `loopback`, separated by commas. Empty: nobody's.",
  ),
  CORS_ORIGINS: variable(
    origins.optional(),
    'Origins of web pages that may call the API, such as `https://app.example.org`, separated by commas; `*` alone for any. Cookies are never accepted. Empty: none.',
  ),
  HTTP_MAX_CONNECTIONS: variable(
    count(1, 1_000_000).default(4_000),
    'Most open connections of the API; a further one gets the place of one without a request of a valid key, or is closed at once.',
  ),
  HTTP_BODY_MEMORY_MIB: variable(
    count(8, 65_536).default(48),
    'Most memory of JSON bodies under way that are larger than 64 KiB each; a further one gets 503. One key may have half of it, and gets 429 for more.',
  ),
  RATE_LIMIT_WRONG_KEYS_PER_MINUTE: variable(
    perMinute.default(20),
    'Sign-ins with a wrong key that an address (of IPv6: a /64 network) may try in a minute; after that 429, without a look-up. 0: no limit.',
  ),
  RATE_LIMIT_KEY_PER_MINUTE: variable(
    perMinute.default(1_200_000),
    'Requests of one key in a minute to one API process; after that 429. 0: no limit.',
  ),
  RATE_LIMIT_ADDRESS_PER_MINUTE: variable(
    perMinute.default(1_200_000),
    'Requests of one address in a minute to one API process, probes left out; after that 429. 0: no limit.',
  ),
  RATE_LIMIT_STREAMS_PER_KEY: variable(
    count(1, 1_000).default(100),
    'Event streams that one key may hold open in one API process, out of 1,000; after that 429.',
  ),
} as const

type HttpValues = { [Name in keyof typeof httpVariables]: z.infer<(typeof httpVariables)[Name]['schema']> }

/** The HTTP part of the configuration. */
export const httpSection = (values: HttpValues) => ({
  host: values.HOST,
  port: values.PORT,
  /** Without a slash at its end. */
  publicUrl: values.PUBLIC_URL,
  trustedProxies: values.TRUST_PROXY ?? [],
  corsOrigins: values.CORS_ORIGINS ?? [],
  maxConnections: values.HTTP_MAX_CONNECTIONS,
  bodyMemoryMib: values.HTTP_BODY_MEMORY_MIB,
  /** 0 stands for no limit. */
  rateLimits: {
    wrongKeysPerMinute: values.RATE_LIMIT_WRONG_KEYS_PER_MINUTE,
    keyPerMinute: values.RATE_LIMIT_KEY_PER_MINUTE,
    addressPerMinute: values.RATE_LIMIT_ADDRESS_PER_MINUTE,
    streamsPerKey: values.RATE_LIMIT_STREAMS_PER_KEY,
  },
})
