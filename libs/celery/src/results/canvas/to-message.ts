import { encodeMessage } from '../../wire/encode-message.js'
import { pythonTime, readTime } from '../../wire/python-values.js'
import type { Signature } from '../../wire/signature.js'
import { isObject } from '../../wire/is-object.js'

/** A call of the task of a signature, with its final arguments and options. */
export interface SignatureCall {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
}

/** What a call gets from the task that it follows, and from us. */
export interface CallContext {
  readonly rootId: string
  readonly parentId: string
  readonly origin: string
  readonly now: Date
  /** The queue of a task whose signature names none. */
  readonly queueOf: (task: string) => string
}

/** A message as it goes into Redis. */
export interface OutgoingMessage {
  readonly queue: string
  /** 0 to 9. */
  readonly priority: number
  readonly text: string
}

/** The message of a call. Options of Celery's publishing that mean nothing in Redis are passed over. */
export const toMessage = (call: SignatureCall, context: CallContext): OutgoingMessage => {
  const { id, task, args, kwargs, options } = call
  const queue = queueOf(options) ?? context.queueOf(task)
  const priority = Math.min(9, Math.max(0, Math.trunc(numberOf(options['priority']) ?? 0)))
  const stampedHeaders = listOf(options['stamped_headers']).map(String)
  const expires = expiryOf(options['expires'], context.now)
  const text = encodeMessage({
    id,
    task,
    args,
    kwargs,
    queue,
    priority,
    eta: etaOf(options, context.now),
    expires: expires?.at ?? null,
    expiration: expires?.milliseconds,
    group: textOf(options['group_id']),
    groupIndex: numberOf(options['group_index']) ?? null,
    retries: numberOf(options['retries']) ?? 0,
    timelimit: [numberOf(options['time_limit']) ?? null, numberOf(options['soft_time_limit']) ?? null],
    rootId: textOf(options['root_id']) ?? context.rootId,
    parentId: textOf(options['parent_id']) ?? context.parentId,
    origin: textOf(options['origin']) ?? context.origin,
    ignoreResult: options['ignore_result'] === true,
    replacedTaskNesting: numberOf(options['replaced_task_nesting']) ?? 0,
    stampedHeaders: options['stamped_headers'] === undefined ? null : stampedHeaders,
    stamps: Object.fromEntries(stampedHeaders.map((name) => [name, options[name] ?? null])),
    shadow: textOf(options['shadow']),
    replyTo: textOf(options['reply_to']),
    headers: isObject(options['headers']) ? options['headers'] : {},
    callbacks: signaturesOf(options['link']),
    errbacks: signaturesOf(options['link_error']),
    chain: signaturesOf(options['chain']),
    chord: isObject(options['chord']) ? (options['chord'] as unknown as Signature) : null,
  })
  return { queue, priority, text }
}

/** A routing key counts only with an exchange: without one Celery sends to the queue of the task. */
const queueOf = (options: Readonly<Record<string, unknown>>): string | undefined => {
  const queue = textOf(options['queue'])
  if (queue !== null) return queue
  return (textOf(options['exchange']) !== null && textOf(options['routing_key'])) || undefined
}

/** A countdown wins over an ETA. */
const etaOf = (options: Readonly<Record<string, unknown>>, now: Date): string | null => {
  const countdown = numberOf(options['countdown'])
  if (countdown) return pythonTime(new Date(now.getTime() + countdown * 1000))
  const eta = readTime(options['eta'])
  return eta ? pythonTime(eta) : null
}

const expiryOf = (expires: unknown, now: Date): { at: string; milliseconds: number } | undefined => {
  const seconds = numberOf(expires)
  const at = seconds === undefined ? readTime(expires) : new Date(now.getTime() + seconds * 1000)
  return at && { at: pythonTime(at), milliseconds: Math.max(0, at.getTime() - now.getTime()) }
}

const signaturesOf = (value: unknown): readonly Signature[] | null =>
  value === null || value === undefined ? null : (listOf(value) as Signature[])

const listOf = (value: unknown): readonly unknown[] => {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
