import { pino, type Logger } from 'pino'

export type { Logger } from 'pino'

/** Keys whose values never reach a log line, wherever they stand. */
const redacted = ['health_metrics', 'healthMetrics', 'args', 'authorization', 'api_key', 'apiKey', 'password']

/** JSON lines on standard output with the service's name; health data and keys are removed by name. */
export const createLogger = (service: string, level: string): Logger =>
  pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: redacted.flatMap((key) => [key, `*.${key}`]), remove: true },
  })
