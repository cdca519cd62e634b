import { example } from './requests.js'

export interface BadPrediction {
  readonly what: string
  readonly body: unknown
  readonly status: number
  readonly code: string
  /** Where the fault is; undefined where the request as a whole is refused. */
  readonly pointer?: string
  /** What the response says would be accepted. */
  readonly accepts?: RegExp
  readonly contentType?: string
  /** Must stand neither in the response nor in a log line. */
  readonly secret?: string
}

/** A submission with these metrics, of a person whose number must not be logged. */
export const withMetrics = (health_metrics: unknown) => ({ user_id: 31_415_926, health_metrics })

/** Submissions that are rejected whole. */
export const badPredictions: readonly BadPrediction[] = [
  {
    what: 'an unknown metric',
    body: withMetrics({ mmse_score: 24, mmse_scores: 7.654321 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/mmse_scores',
    accepts: /known.*mmse_score/i,
    secret: '7.654321',
  },
  {
    what: 'text for a number',
    body: withMetrics({ mmse_score: 'canary-text', age: 72 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/mmse_score',
    accepts: /a whole number from 0 to 30/,
    secret: 'canary-text',
  },
  {
    what: 'MMSE 31',
    body: withMetrics({ mmse_score: 31 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/mmse_score',
    accepts: /a whole number from 0 to 30/,
  },
  {
    what: 'age 400',
    body: withMetrics({ age: 400.123456 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/age',
    accepts: /a number from 18 to 120.*looks like months/,
    secret: '400.123456',
  },
  {
    what: 'a known metric of another model out of range',
    body: withMetrics({ mmse_score: 24, moca_score: 31.975319 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/moca_score',
    accepts: /from 0 to 30/,
    secret: '31.975319',
  },
  {
    what: 'NaN, which is no JSON',
    body: '{"user_id": 31415926, "health_metrics": {"mmse_score": NaN}}',
    status: 400,
    code: 'REQUEST_MALFORMED',
    accepts: /NaN/,
  },
  {
    what: 'a number beyond what a number can hold',
    body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 1e999}}',
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/health_metrics/mmse_score',
    accepts: /must be a number/,
  },
  {
    what: 'broken JSON',
    body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 2',
    status: 400,
    code: 'REQUEST_MALFORMED',
  },
  { what: 'an empty body', body: '', status: 422, code: 'REQUEST_INVALID', pointer: '' },
  {
    what: 'a list',
    body: [31_415_926],
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '',
    accepts: /object/,
    secret: '31415926',
  },
  {
    what: 'empty metrics',
    body: withMetrics({}),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics',
    accepts: /at least one of mmse_score, age/,
  },
  {
    what: 'only metrics that the model does not use',
    body: withMetrics({ bmi: 24.864213 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics',
    accepts: /at least one of mmse_score, age/,
    secret: '24.864213',
  },
  {
    what: 'no metrics',
    body: { user_id: 31_415_926 },
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/health_metrics',
  },
  {
    what: 'a metric that is null',
    body: withMetrics({ mmse_score: null, age: 72 }),
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/health_metrics/mmse_score',
    accepts: /must be a number/,
  },
  {
    what: 'a metric that is a list',
    body: withMetrics({ mmse_score: ['canary-list'] }),
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/health_metrics/mmse_score',
    accepts: /must be a number/,
    secret: 'canary-list',
  },
  {
    what: 'an unknown field',
    body: { ...withMetrics({ mmse_score: 24 }), notes: 'canary-note' },
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/notes',
    accepts: /user_id, health_metrics, model/,
    secret: 'canary-note',
  },
  {
    what: 'an unknown model',
    body: { ...withMetrics({ mmse_score: 24 }), model: 'canary-model' },
    status: 422,
    code: 'MODEL_UNKNOWN',
    pointer: '/model',
    accepts: /impairment-screen@1/,
    secret: 'canary-model',
  },
  {
    what: 'an unknown version of a model',
    body: { ...withMetrics({ mmse_score: 24 }), model: 'impairment-screen@99' },
    status: 422,
    code: 'MODEL_UNKNOWN',
    pointer: '/model',
    accepts: /impairment-screen@1/,
  },
  ...[0, -4, 1.5, 2 ** 53, 'canary-user', null].map((user_id): BadPrediction => ({
    what: `the user_id ${user_id}`,
    body: { user_id, health_metrics: { mmse_score: 24 } },
    status: 422,
    code: 'REQUEST_INVALID',
    pointer: '/user_id',
    accepts: /must be a whole number from 1/,
    secret: 'canary-user',
  })),
  {
    what: 'two megabytes',
    body: withMetrics({ mmse_score: 'x'.repeat(2_000_000) }),
    status: 413,
    code: 'REQUEST_TOO_LARGE',
    accepts: /1 MiB/,
    secret: 'xxxxxxxxxxxxxxxxxxxx',
  },
  {
    what: 'plain text',
    body: JSON.stringify(example),
    contentType: 'text/plain',
    status: 415,
    code: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
    accepts: /application\/json/,
  },
  {
    what: 'a form',
    body: 'user_id=31415926&mmse_score=24',
    contentType: 'application/x-www-form-urlencoded',
    status: 415,
    code: 'REQUEST_MEDIA_TYPE_UNSUPPORTED',
    accepts: /application\/json/,
  },
  {
    what: 'a name that would reach into the prototype',
    body: '{"user_id": 31415926, "health_metrics": {"mmse_score": 24, "__proto__": {"age": 72}}}',
    status: 400,
    code: 'REQUEST_MALFORMED',
    accepts: /__proto__/,
  },
  {
    what: 'a metric with the name of what every object has',
    body: withMetrics({ mmse_score: 24, constructor: 7 }),
    status: 422,
    code: 'MODEL_INPUT_INVALID',
    pointer: '/health_metrics/constructor',
  },
]
