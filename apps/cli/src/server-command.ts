import { warn } from './output.js'

/** Commands that run until they are stopped; all they print is JSON, line by line. */
export const serverNames: readonly string[] = ['api', 'worker']

/** A line of a server beside its log: JSON, unless a person reads it at a terminal. */
export const reportAs = async (
  service: string,
  level: 'info' | 'warn' | 'fatal',
  text: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<void> => {
  if (process.stderr.isTTY) return warn(text)
  const { createLogger } = await import('#libs/platform')
  createLogger(service, 'info', { write: (line) => void process.stderr.write(line) })[level](fields, text)
}
