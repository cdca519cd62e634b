import { createLogger } from './logging/index.js'
import { MemoryGuardError } from './memory-guard-error.js'

/** Returns what explains an error: the message of an expected one, of ours or the system's, otherwise the stack. */
export const explainError = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const isExpected = error instanceof MemoryGuardError || 'syscall' in error
  return isExpected ? error.message : (error.stack ?? error.message)
}

/** Returns the code of an error as a field of a log line. */
export const codeField = (error: unknown): { readonly code?: unknown } =>
  error instanceof Error && 'code' in error ? { code: error.code } : {}

/** Runs a server as the whole process, until it ends. An error is logged, and the exit code is 1. */
export const runAsProcess = async (service: 'api' | 'worker', run: () => Promise<void>): Promise<void> => {
  try {
    await run()
  } catch (error) {
    createLogger(service, 'info', { write: (line) => void process.stderr.write(line) }).fatal(
      codeField(error),
      explainError(error),
    )
    // Not by `exitCode`: what the server had opened before it failed would keep the process alive.
    process.exit(1)
  }
}
