/** Every code an error of ours can carry. Stable: clients, rows and dashboards read them. */
export const errorCodes = [
  'CONFIG_INVALID',
  'REQUEST_INVALID',
  'REQUEST_MALFORMED',
  'REQUEST_TOO_LARGE',
  'REQUEST_MEDIA_TYPE_UNSUPPORTED',
  'REQUEST_METHOD_NOT_ALLOWED',
  'REQUEST_NOT_ACCEPTABLE',
  'RATE_LIMITED',
  'ACCESS_KEY_MISSING',
  'ACCESS_KEY_INVALID',
  'ACCESS_TOKEN_INVALID',
  'ACCESS_SESSION_INVALID',
  'ACCESS_LINK_INVALID',
  'ACCESS_SIGN_IN_FAILED',
  'ACCESS_ROLE_MISSING',
  'ACCESS_SITE_REJECTED',
  'ACCESS_HOST_REJECTED',
  'OIDC_UNAVAILABLE',
  'RESOURCE_NOT_FOUND',
  'RESOURCE_GONE',
  'MEASUREMENT_CONFLICT',
  'SCHEDULE_CONFLICT',
  'IDEMPOTENCY_KEY_REUSED',
  'PLAN_EXPIRED',
  'TASK_STATE_CONFLICT',
  'TASK_UNKNOWN',
  'TASK_NOT_FINISHED',
  'TASK_EXPIRED',
  'TASK_HARD_TIME_LIMIT',
  'TASK_SOFT_TIME_LIMIT',
  'TASK_REVOKED',
  'TASK_RELEASED',
  'TASK_POISON',
  'TASK_CHILD_LOST',
  'TASK_FAILED',
  'BATCH_FAILED',
  'MODEL_UNKNOWN',
  'MODEL_NOT_READY',
  'MODEL_STATE_CONFLICT',
  'MODEL_INVALID',
  'MODEL_INPUT_INVALID',
  'MODEL_OUTPUT_INVALID',
  'DATABASE_UNAVAILABLE',
  'BROKER_UNAVAILABLE',
  'SERVER_BUSY',
  'WEBHOOK_INACTIVE',
  'INTERNAL',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** One fault of an input: where it is (RFC 6901 pointer) and what would be accepted. Never the value itself. */
export interface InputFault {
  readonly pointer: string
  readonly message: string
}

export interface MemoryGuardErrorOptions {
  /** Faults of the input, all at once. */
  readonly faults?: readonly InputFault[]
  /** Whether the same work may succeed if it is tried again, unchanged. Default: false. */
  readonly retryable?: boolean
  /** When the caller may try again, in seconds, if that is known. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/**
 * The one base of expected failures. `message` is shown to callers and stored with a task, so it holds no
 * health data; what must stay private goes into `cause`, which only the log sees.
 */
export class MemoryGuardError extends Error {
  readonly code: ErrorCode
  readonly faults: readonly InputFault[]
  readonly retryable: boolean
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, options: MemoryGuardErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MemoryGuardError'
    this.code = code
    this.faults = options.faults ?? []
    this.retryable = options.retryable ?? false
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
