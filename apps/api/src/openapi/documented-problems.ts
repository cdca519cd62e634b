/** What each status of a problem means, as the OpenAPI document says it. */
const meanings = {
  400: 'The request cannot be read',
  401: 'The key is missing or not valid',
  403: 'The key may not do this',
  404: 'There is no such resource, or the key does not reach it',
  406: 'The response is not available in a format that `Accept` names',
  409: 'The state of the resource does not allow it',
  410: 'It was erased, or it is past the time for which results are kept',
  413: 'The body is too large',
  415: 'The media type of the body is not supported',
  422: 'The request is not valid; `errors` says where and what would be accepted',
  429: 'Too many requests of this key or address',
  500: 'Internal error',
  503: 'The database or the server has no room for it now',
} as const

type ProblemStatus = keyof typeof meanings

const problem = { $ref: '#/components/schemas/Problem' }
const reference = (name: string) => ({ [name]: { $ref: `#/components/headers/${name}` } })

const headersOf: Partial<Record<ProblemStatus, object>> = {
  401: reference('WWW-Authenticate'),
  429: reference('Retry-After'),
  503: reference('Retry-After'),
}

/** The responses of all problems, which operations refer to. */
export const problemResponses = Object.fromEntries(
  Object.entries(meanings).map(([status, description]) => [
    `Problem${status}`,
    {
      description,
      headers: { ...reference('x-request-id'), ...headersOf[Number(status) as ProblemStatus] },
      content: { 'application/problem+json': { schema: problem } },
    },
  ]),
)

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
  return [
    400,
    406,
    500,
    ...(isSecured ? ([401, 403, 429, 503] as const) : []),
    ...(parameters.some((parameter) => parameter.in === 'path') ? ([404] as const) : []),
    ...(/^\/v1\/(predictions|tasks|batches)\/|^\/v1\/events/.test(path) ? ([410] as const) : []),
    ...(isSecured && isChange ? ([409, 413, 415] as const) : []),
    ...(isSecured || hasBody || parameters.length > 0 ? ([422] as const) : []),
  ]
}
