import createClient, { type Middleware } from 'openapi-fetch'
import createHooks from 'openapi-react-query'
import { reportResponse, reportSilence } from './connection.ts'
import { ApiProblem } from './problem.ts'
import type { components, paths } from './schema.gen.ts'

/** Schemas of the API by their names in the OpenAPI document. */
export type Schemas = components['schemas']

/** Where this page and the API are served: the path before `/v1`, without the ending slash. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, '')

/** Every response that is no success is thrown, as an `ApiProblem`. */
const problems: Middleware = {
  async onResponse({ response }) {
    reportResponse()
    if (!response.ok) throw await ApiProblem.of(response)
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return error
    reportSilence()
    return ApiProblem.unreachable(error)
  },
}

/** The API, typed by its OpenAPI document. Throws `ApiProblem`. */
export const api = createClient<paths>({ baseUrl: basePath, credentials: 'same-origin' })
api.use(problems)

/** The same for components: `query.useQuery('get', '/v1/queues')`. */
export const query = createHooks(api)
