import type { components } from './schema.gen.ts'

type ProblemBody = components['schemas']['Problem']

/** What the API said when it refused a request, or that it could not be reached. */
export class ApiProblem extends Error {
  /** HTTP status; 0 without a response. */
  readonly status: number
  /** Stable code of the kind of problem. */
  readonly code: string
  readonly faults: readonly { readonly pointer: string; readonly message: string }[]
  readonly requestId: string | undefined

  constructor({ status, code, detail, errors, request_id: requestId }: Partial<ProblemBody>, options?: ErrorOptions) {
    super(detail ?? 'The server gave no reason.', options)
    this.name = 'ApiProblem'
    this.status = status ?? 0
    this.code = code ?? 'UNKNOWN'
    this.faults = errors ?? []
    this.requestId = requestId
  }

  static async of(response: Response): Promise<ApiProblem> {
    const type = response.headers.get('content-type') ?? ''
    const requestId = response.headers.get('x-request-id') ?? undefined
    const common = { status: response.status, ...(requestId && { request_id: requestId }) }
    if (type.includes('json')) return new ApiProblem({ ...common, ...((await response.json()) as ProblemBody) })
    return ApiProblem.foreign(common)
  }

  /** A response that is not the API's, such as one of a proxy. */
  static foreign(known: Pick<Partial<ProblemBody>, 'status' | 'request_id'>): ApiProblem {
    const detail = `Something between this page and the service responded with status ${known.status}.`
    return new ApiProblem({ ...known, detail })
  }

  /** No response: the network, or the server, is away. */
  static unreachable(cause: unknown): ApiProblem {
    return new ApiProblem(
      {
        status: 0,
        code: 'UNREACHABLE',
        detail: 'The server cannot be reached. Check your connection; this page tries again.',
      },
      { cause },
    )
  }
}

/** Any error as a problem, so that a screen has one way to show it. */
export const problemOf = (error: unknown): ApiProblem =>
  error instanceof ApiProblem
    ? error
    : new ApiProblem(
        { code: 'CONSOLE_FAILED', detail: 'This page has a fault. Reload it; if that does not help, report it.' },
        { cause: error },
      )
