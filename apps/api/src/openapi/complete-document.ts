import type { OpenAPIObject } from '@nestjs/swagger'
import { roleExtension } from '../access/access.js'
import { withDocumentedBody } from './documented-bodies.js'
import { problemOrPage, problemResponses, problemStatusesOf } from './documented-problems.js'
import { isObject, repairSchemas } from './repair-schemas.js'

/** A part of the document: the types of the generator are narrower than what it makes. */
type Part = Record<string, unknown>

/** Groups of routes, in the order in which a reader needs them. */
const tags = {
  predictions: 'Submit health metrics and read the risk.',
  explanations: 'How much each metric moved a risk.',
  batches: 'Many people at once, as JSON, CSV or NDJSON.',
  'health metrics': 'Dated measurements of a person.',
  forecasts: 'How the MMSE of a person will progress.',
  users: "Erase a person's data.",
  tasks: 'The history of all work, its results, and sending, revoking and replaying it.',
  plans: 'Revoke, replay or cancel many tasks: first counted, then exactly those.',
  events: 'Changes of tasks as they happen.',
  schedules: 'Tasks that are sent again and again.',
  webhooks: 'URLs that are notified when tasks finish.',
  models: 'The models, and which of their versions serve.',
  queues: 'Depth, rate and control of the queues.',
  workers: 'State and control of the workers.',
  access: 'API keys, sessions of browsers and the audit trail.',
  health: 'Probes and metrics of the process.',
} as const

const text = (schema: Part, description: string) => ({ description, schema })

const headers = {
  'x-request-id': text({ type: 'string' }, 'Id of the request, which logs name too'),
  'Retry-After': text({ type: 'integer', minimum: 0 }, 'Seconds after which to ask again'),
  Location: text({ type: 'string', format: 'uri-reference' }, 'Where to read what was made'),
  'Preference-Applied': text({ type: 'string' }, 'The wait that was granted'),
  'WWW-Authenticate': text({ type: 'string' }, 'How to sign in'),
}

/** Headers of a response by its status. */
const headersOf: Readonly<Record<string, readonly (keyof typeof headers)[]>> = {
  '200': ['Preference-Applied'],
  '201': ['Location'],
  '302': ['Location'],
  '202': ['Location', 'Retry-After', 'Preference-Applied'],
}

/**
 * The document as clients, linters and readers need it: what the generator leaves out or writes in the words of an older
 * version is completed in this one place.
 */
export const completeDocument = (document: OpenAPIObject): OpenAPIObject => {
  const components = { ...document.components, headers, responses: problemResponses }
  const paths = Object.entries(document.paths)
    .sort(([, one], [, other]) => rankOf(one) - rankOf(other))
    .map(([path, item]) => [path, mapOperations(item as Part, (operation) => completeOperation(operation, path))])
  return repairSchemas({
    ...document,
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(paths) as OpenAPIObject['paths'],
    components,
  }) as unknown as OpenAPIObject
}

const mapOperations = (item: Part, change: (operation: Part) => Part): Part =>
  Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, change(operation as Part)]))

const rankOf = (item: object): number => {
  const [operation] = Object.values(item) as { readonly tags?: readonly string[] }[]
  return Object.keys(tags).indexOf(operation?.tags?.[0] ?? '')
}

const completeOperation = (operation: Part, path: string): Part => {
  const { [roleExtension]: role, ...rest } = withDocumentedBody(operation)
  const own = Object.entries(rest['responses'] as Part).filter(([status]) => status !== '4XX')
  const responses = own.map(([status, response]) => [status, completeResponse(status, response as Part)])
  const problems = problemStatusesOf(rest, path, role !== undefined).map((status) => [
    status,
    // Browsers that are sent there get a page.
    path.startsWith('/v1/session/oidc') ? problemOrPage(status) : { $ref: `#/components/responses/Problem${status}` },
  ])
  const needed = typeof role === 'string' && `Needs the role \`${role}\` or a higher one.`
  const description = [rest['description'], needed]
  return {
    ...rest,
    parameters: (rest['parameters'] as readonly Part[]).map(completeParameter),
    description: description.filter(Boolean).join(' ') || rest['summary'],
    responses: Object.fromEntries([...problems, ...responses]) as unknown,
    ...(role === undefined && { security: [] }),
  }
}

/** What the schemas of bodies say of themselves, headers have to be given. */
const completeParameter = (parameter: Part): Part =>
  parameter['name'] === 'Idempotency-Key'
    ? { ...parameter, schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' } }
    : parameter

const completeResponse = (status: string, response: Part): Part => {
  if (Number(status) >= 400 && isObject(response['content'])) {
    const content = Object.values(response['content'])[0]
    return { ...response, content: { 'application/problem+json': content }, headers: referencesTo([]) }
  }
  return { ...response, headers: referencesTo(headersOf[status] ?? []) }
}

const referencesTo = (names: readonly (keyof typeof headers)[]): Part =>
  Object.fromEntries(
    (['x-request-id', ...names] as const).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  )
