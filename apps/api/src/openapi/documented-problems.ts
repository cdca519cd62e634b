/** What each status of a problem means, as the OpenAPI document says it. */
const meanings = {
  400: 'The request cannot be read',
  401: 'The key, token or session is missing or not valid',
  403: 'The caller may not do this, or a browser sends it from another site',
  404: 'There is no such resource, or the key does not reach it',
  406: 'The response is not available in a format that `Accept` names',
  409: 'The state of the resource does not allow it',
  410: 'It was erased, or it is past the time for which results are kept',
  413: 'The body is too large',
  415: 'The media type of the body is not supported',
  422: 'The request is not valid; `errors` says where and what would be accepted',
  429: 'Too many requests of this key or address',
  500: 'Internal error',
  503: 'The database or the OIDC issuer cannot be reached, or the server has no room for it now',
} as const

type ProblemStatus = keyof typeof meanings

const problem = { $ref: '#/components/schemas/Problem' }
const reference = (name: string) => ({ [name]: { $ref: `#/components/headers/${name}` } })

const headersOf: Partial<Record<ProblemStatus, object>> = {
  401: reference('WWW-Authenticate'),
  429: reference('Retry-After'),
  503: reference('Retry-After'),
}

const problemResponse = (status: ProblemStatus) => ({
  description: meanings[status],
  headers: { ...reference('x-request-id'), ...headersOf[status] },
  content: { 'application/problem+json': { schema: problem } },
})

/** The responses of all problems, which operations refer to. */
export const problemResponses = Object.fromEntries(
  Object.keys(meanings).map((status) => [`Problem${status}`, problemResponse(Number(status) as ProblemStatus)]),
)

/** The response of a problem by a route that people reach in their browsers. */
export const problemOrPage = (status: ProblemStatus) => {
  const response = problemResponse(status)
  return { ...response, content: { ...response.content, 'text/html': { schema: { type: 'string' } } } }
}

interface Operation {
  readonly parameters?: readonly { readonly in: string }[]
  readonly requestBody?: unknown
  readonly operationId?: string
}

/** The problems that an operation may respond with: they follow from its access, its parameters and its body. */
export const problemStatusesOf = (operation: Operation, path: string, isSecured: boolean): readonly ProblemStatus[] => {
  const { parameters = [], requestBody, operationId = '' } = operation
  const hasBody = requestBody !== undefined
  const isChange = !/_(get|list|latest|result|results|of\w+|getShadowReport|verify)$/.test(operationId)
  // Who signs in has no key yet.
  const signsIn = !isSecured && path.startsWith('/v1/session')
  return [
    400,
    406,
    500,
    ...(isSecured || signsIn ? ([401, 403, 429, 503] as const) : []),
    ...(signsIn || parameters.some((parameter) => parameter.in === 'path') ? ([404] as const) : []),
    ...(/^\/v1\/(predictions|tasks|batches)\/|^\/v1\/events/.test(path) ? ([410] as const) : []),
    ...((isSecured && isChange) || (signsIn && hasBody) ? ([409, 413, 415] as const) : []),
    ...(isSecured || hasBody || parameters.length > 0 ? ([422] as const) : []),
  ]
}
