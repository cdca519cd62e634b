import { pino, type DestinationStream, type Logger } from 'pino'

export type { Logger } from 'pino'

/** Keys whose values never reach a log line, wherever they stand. */
const redacted = ['health_metrics', 'healthMetrics', 'args', 'authorization', 'api_key', 'apiKey', 'password']

/** An error without what a library hangs on it: a failed statement carries its parameters, and they hold health data. */
const describeError = (error: unknown): unknown =>
  error instanceof Error
    ? {
        type: error.name,
        ...('code' in error && { code: error.code }),
        message: error.message,
        stack: error.stack,
        ...(error.cause !== undefined && { cause: describeError(error.cause) }),
      }
    : { type: typeof error }

/**
 * JSON lines with the service's name, on standard output unless another `target` is given; health data and keys are
 * removed by name, and of errors only their kind, code, words, place and cause are told.
 */
export const createLogger = (service: string, level: string, target?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: redacted.flatMap((key) => [key, `*.${key}`]), remove: true },
    },
    target ?? pino.destination(1),
  )
