import { pino, type DestinationStream, type Logger } from 'pino'
import { LogDestination } from './log-destination.js'

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

/** The line about lines that could not be written, in the form of all others. */
const describeLoss = (service: string) => (lines: number, reason: string) =>
  `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), service, lines, reason, msg: 'log lines lost' })}\n`

let standardOutput: LogDestination | undefined

/**
 * JSON lines with the service's name, on standard output unless another `target` is given; health data and keys are
 * removed by name, and of errors only kind, code, message, place and cause are logged. Logging never throws and never
 * blocks (see `LogDestination`).
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
    target ?? (standardOutput ??= new LogDestination(1, describeLoss(service))),
  )
