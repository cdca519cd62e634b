/** Who may use a route: a role and the ones above it, or one of the particular cases below. */
export type RouteRule =
  | 'public'
  | 'viewer'
  | 'submitter'
  | 'operator'
  | 'admin'
  /** The least role and, for a caller bound to a person, that person's path. */
  | 'viewer of the person'
  | 'submitter of the person'
  /** An operator, or a submitter who is bound to the person. */
  | 'owner'
  /** A viewer who has sent an API key, and neither a token nor a cookie. */
  | 'key'
  /** Signs in by its body, which a page of the server has to send. */
  | 'sign-in'
  /** Signs in by redirects of a browser. */
  | 'redirect'

const routesOf: Readonly<Record<RouteRule, readonly string[]>> = {
  public: [
    'GET /livez',
    'GET /metrics',
    'GET /readyz',
    'GET /startupz',
    'GET /docs',
    'GET /openapi.json',
    'GET /v1/session/methods',
  ],
  'sign-in': ['POST /v1/session'],
  redirect: ['GET /v1/session/oidc', 'GET /v1/session/oidc/callback'],
  key: ['POST /v1/session/link'],
  viewer: [
    'GET /v1/batches',
    'GET /v1/batches/{id}',
    'GET /v1/batches/{id}/results',
    'GET /v1/events',
    'GET /v1/me',
    'GET /v1/models',
    'GET /v1/models/{name}/{version}',
    'GET /v1/models/{name}/{version}/shadow',
    'GET /v1/predictions',
    'GET /v1/predictions/{id}',
    'GET /v1/predictions/{id}/explanation',
    'GET /v1/queues',
    'GET /v1/queues/{queue}/scaling',
    'GET /v1/schedules',
    'GET /v1/schedules/{id}',
    'GET /v1/session',
    'DELETE /v1/session',
    'GET /v1/sessions',
    'DELETE /v1/sessions/{id}',
    'GET /v1/stats/now',
    'GET /v1/stats/now/events',
    'GET /v1/stats/series',
    'GET /v1/tasks',
    'GET /v1/tasks/errors',
    'GET /v1/tasks/suggestions',
    'GET /v1/tasks/{id}',
    'GET /v1/tasks/{id}/events',
    'GET /v1/tasks/{id}/result',
    'GET /v1/workers',
    'GET /v1/workers/{name}',
  ],
  'viewer of the person': ['GET /v1/users/{user_id}/forecasts/latest', 'GET /v1/users/{user_id}/health-metrics'],
  submitter: [
    'POST /v1/batches',
    'DELETE /v1/batches/{id}',
    'POST /v1/predictions',
    'POST /v1/predictions/{id}/explanation',
    'POST /v1/tasks',
    'DELETE /v1/tasks/{id}/result',
  ],
  'submitter of the person': [
    'POST /v1/users/{user_id}/forecasts',
    'POST /v1/users/{user_id}/health-metrics',
    'DELETE /v1/users/{user_id}/health-metrics/{id}',
  ],
  owner: ['DELETE /v1/users/{user_id}'],
  operator: [
    'POST /v1/models/{name}/rollback',
    'POST /v1/models/{name}/{version}/activate',
    'POST /v1/models/{name}/{version}/shadow',
    'DELETE /v1/models/{name}/{version}/shadow',
    'GET /v1/plans',
    'POST /v1/plans',
    'GET /v1/plans/{id}',
    'POST /v1/plans/{id}/run',
    'POST /v1/queues/{queue}/pause',
    'POST /v1/queues/{queue}/purge',
    'POST /v1/queues/{queue}/resume',
    'POST /v1/schedules',
    'PATCH /v1/schedules/{id}',
    'DELETE /v1/schedules/{id}',
    'POST /v1/schedules/{id}/run',
    'POST /v1/tasks/retry',
    'POST /v1/tasks/{id}/retry',
    'POST /v1/tasks/{id}/revoke',
    'GET /v1/webhooks',
    'GET /v1/webhooks/{id}',
    'GET /v1/webhooks/{id}/deliveries',
    'POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver',
    'POST /v1/webhooks/{id}/test',
    'POST /v1/workers/{name}/{command}',
  ],
  admin: [
    'GET /v1/api-keys',
    'POST /v1/api-keys',
    'DELETE /v1/api-keys/{id}',
    'GET /v1/audit',
    'GET /v1/audit/verification',
    'POST /v1/webhooks',
    'PATCH /v1/webhooks/{id}',
    'DELETE /v1/webhooks/{id}',
    'POST /v1/webhooks/{id}/rotate-secret',
  ],
}

/** The rule of each route: `METHOD /path/{parameter}`. */
export const routeRules: ReadonlyMap<string, RouteRule> = new Map(
  Object.entries(routesOf).flatMap(([rule, routes]) => routes.map((route) => [route, rule as RouteRule] as const)),
)
