import { maskUrl, withoutEndingSlashes } from '#libs/platform'
import { CommandError } from '../command-error.js'

/** One call of the REST API. */
export interface RestRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Path and query, from the root. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Status and body of a response. */
export interface RestResponse {
  readonly status: number
  readonly body: unknown
}

/** What `fetch` takes, with plain headers. */
type StreamInit = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

/** A client of the API. */
export class RestClient {
  /** Base URL, with the path prefix of a proxy if there is one, without a slash at its end. */
  readonly url: string

  constructor(
    url: string,
    private readonly apiKey: string | undefined,
  ) {
    this.url = withoutEndingSlashes(url)
  }

  /** @throws {CommandError} with the problem's title, detail and faulty fields, or that nothing responds. */
  async send({ method = 'GET', path, body, headers = {}, signal }: RestRequest): Promise<RestResponse> {
    const response = await this.open(path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
    return { status: response.status, body: parse(await response.text()) }
  }

  /** Status and body of a probe, whatever its status. @throws {CommandError} that nothing responds. */
  async probe(path: string): Promise<RestResponse> {
    const response = await this.fetch(path, { headers: { accept: 'application/json' } })
    return { status: response.status, body: parse(await response.text()) }
  }

  /** The response without its body, for bodies that are streamed either way. @throws {CommandError} as `send` does. */
  async open(path: string, init: StreamInit) {
    const response = await this.fetch(path, {
      ...init,
      headers: {
        accept: 'application/json',
        ...(this.apiKey === undefined ? {} : { authorization: `Bearer ${this.apiKey}` }),
        ...init.headers,
      },
    })
    if (!response.ok) {
      const { status } = response
      const words = describeProblem(status, parse(await response.text()))
      // What is wrong on the other side may pass: that has a cause.
      throw new CommandError(
        words,
        status >= 500 ? { cause: new Error(`The API responded with ${status}`) } : undefined,
      )
    }
    return response
  }

  private async fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(this.url + path, init)
    } catch (cause) {
      if (init.signal?.aborted) throw cause
      throw new CommandError(
        `No MemoryGuard responds at ${maskUrl(this.url)}. Start it with "npm start", or name another with --url.`,
        { cause },
      )
    }
  }
}

const parse = (text: string): unknown => {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A problem of RFC 9457 as text: title, detail, and one line for each faulty field. */
export const describeProblem = (status: number, content: unknown): string => {
  if (typeof content !== 'object' || content === null) return `The API responded with ${status}.`
  const { title, detail, errors } = content as { title?: unknown; detail?: unknown; errors?: unknown }
  const head = [title, detail].filter((part) => typeof part === 'string' && part !== '').join(': ')
  const faults = (Array.isArray(errors) ? errors : []) as { pointer?: unknown; message?: unknown }[]
  const lines = faults.map(({ pointer, message }) => `  ${String(pointer)}: ${String(message)}`)
  return [head || `The API responded with ${status}.`, ...lines].join('\n')
}
