import { request as send, type IncomingHttpHeaders } from 'node:http'

/** A response as a browser sees it. */
export interface PageAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The parsed body; empty if it is not JSON. */
  readonly body: Record<string, unknown>
}

interface PageRequest {
  readonly body?: unknown
  /** Beside those of a browser, which `null` removes. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** Reads no body of a successful response, which may never end. */
  readonly isStream?: boolean
}

/**
 * The part of a browser that matters to sessions: it keeps cookies by host, sends them with each request, and says from
 * which site a request comes. It follows no redirects.
 */
export class Browser {
  /** By host with its port, since the servers of a test share one address. */
  private readonly cookies = new Map<string, Map<string, string>>()

  constructor(private readonly base: string) {}

  /** A request of a page of the server itself. `path` may be a URL of another server. */
  async request(
    method: string,
    path: string,
    { body, headers = {}, isStream = false }: PageRequest = {},
  ): Promise<PageAnswer> {
    const url = new URL(path, this.base)
    const cookie = [...this.jarOf(url)].map(([name, value]) => `${name}=${value}`).join('; ')
    const isForm = body instanceof URLSearchParams
    const sent = {
      'sec-fetch-site': 'same-origin',
      ...(method !== 'GET' && { origin: url.origin }),
      ...(cookie !== '' && { cookie }),
      ...(body !== undefined && { 'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json' }),
      ...headers,
    }
    const known = Object.entries(sent).filter((entry): entry is [string, string] => entry[1] !== null)
    const answer = await exchange(url, { method, headers: Object.fromEntries(known), body: textOf(body), isStream })
    this.keep(url, answer.headers['set-cookie'] ?? [])
    return answer
  }

  get(path: string, headers?: PageRequest['headers']): Promise<PageAnswer> {
    return this.request('GET', path, { ...(headers && { headers }) })
  }

  /** Cookies that the server has set, by name. */
  cookiesOf(url = this.base): Readonly<Record<string, string>> {
    return Object.fromEntries(this.jarOf(new URL(url)))
  }

  /** Puts a cookie there, as an attacker or an earlier visit may have done. */
  setCookie(name: string, value: string): void {
    this.jarOf(new URL(this.base)).set(name, value)
  }

  private jarOf({ host }: URL): Map<string, string> {
    const jar = this.cookies.get(host) ?? new Map<string, string>()
    this.cookies.set(host, jar)
    return jar
  }

  private keep(url: URL, lines: readonly string[]): void {
    const jar = this.jarOf(url)
    for (const line of lines) {
      const [pair = '', ...options] = line.split('; ')
      const at = pair.indexOf('=')
      const isGone = options.some((option) => /^max-age=0$/i.test(option) || /^expires=Thu, 01 Jan 1970/i.test(option))
      if (isGone) jar.delete(pair.slice(0, at))
      else jar.set(pair.slice(0, at), pair.slice(at + 1))
    }
  }
}

const textOf = (body: unknown): string | undefined =>
  body === undefined || typeof body === 'string' || body instanceof URLSearchParams
    ? body?.toString()
    : JSON.stringify(body)

interface Sent {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly isStream: boolean
}

/** Without `fetch`, which keeps names such as `Host` to itself. */
const exchange = (url: URL, { method, headers, body, isStream }: Sent): Promise<PageAnswer> =>
  new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const outgoing = send(url, { method, headers: { ...length, ...headers } }, (response) => {
      const { statusCode: status = 0, headers: received } = response
      if (isStream && status < 400) {
        outgoing.destroy()
        return resolve({ status, headers: received, text: '', body: {} })
      }
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('error', reject).on('end', () => {
        const isJson = /[/+]json/.test(received['content-type'] ?? '')
        const parsed = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {}
        resolve({ status, headers: received, text, body: parsed })
      })
    })
    outgoing.on('error', reject).end(body)
  })
