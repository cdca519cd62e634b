import type { LogicalClock } from '../logical-clock.js'
import type { CeleryCalls } from './celery-calls.js'
import type { CeleryWorker } from './celery-worker.js'

/** What a command may use. */
export interface CommandParts {
  /** Name of this worker. */
  readonly name: string
  readonly clock: LogicalClock
  readonly calls: CeleryCalls
  readonly worker: CeleryWorker
  readonly events: CommandEvents
}

/** The events that commands turn on and off. */
export interface CommandEvents {
  /** Returns whether that changed anything. */
  sendTasks(isOn: boolean): boolean
  /** Sends a heartbeat now. */
  beat(): Promise<void>
}

export type Given = Readonly<Record<string, unknown>>

/** A command of `celery inspect` or `celery control`, as Celery's worker defines it. */
export interface Command {
  /** Arguments that must be given, in Celery's order. */
  readonly takes?: readonly string[]
  /** Set where others than these and `takes` are rejected; otherwise they are ignored, as in Celery. */
  readonly onlyOptions?: readonly string[]
  /** Set where it changes something: it is logged. */
  readonly isControl?: boolean
  /** The reply if it takes longer than the caller waits; it goes on then. */
  readonly lateReply?: unknown
  /** Resolves to the reply. */
  readonly run: (given: Given, parts: CommandParts) => unknown
}

/** An error that the caller is to see, as the exception of Python that Celery would show. */
export class CommandFault extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message)
  }
}

export const ok = (value: string): { readonly ok: string } => ({ ok: value })
export const nok = (value: string): { readonly error: string } => ({ error: value })

/** A text, or a list of texts; whatever else there is in it is left out. */
export const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')

/** @throws {CommandFault} TypeError for what is not a number. */
export const optionalNumber = (value: unknown, name: string): number | undefined => {
  if (value === null || value === undefined) return undefined
  if (typeof value !== 'number') throw new CommandFault('TypeError', `${name} must be a number`)
  return value
}
