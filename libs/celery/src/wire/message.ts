import { parseBody, readEnvelope, unpackBody, UnreadableMessage, type Envelope } from './envelope.js'
import { parsePythonJson, stringifyPythonJson } from './python-json.js'
import { readTime } from './python-values.js'
import type { Signature } from './signature.js'
import { isObject } from './is-object.js'

/** What the later steps of a call need. It is stored as JSON until everything that follows from the call is published. */
export interface CallRequest {
  /** Any text: callers choose it. */
  readonly id: string
  readonly task: string
  readonly rootId: string | null
  readonly parentId: string | null
  readonly group: string | null
  readonly groupIndex: number | null
  readonly ignoreResult: boolean
  readonly origin: string | null
  readonly replyTo: string | null
  readonly correlationId: string | null
  /** The routing key it was sent to: the name of its queue. */
  readonly queue: string
  /** 0 to 9; 0 is served first. */
  readonly priority: number
  /** Retries that another worker has used. */
  readonly retries: number
  readonly stampedHeaders: readonly string[]
  readonly stamps: Readonly<Record<string, unknown>>
  readonly callbacks: readonly Signature[]
  readonly errbacks: readonly Signature[]
  /** What comes after it, the next one last, as on the wire. */
  readonly chain: readonly Signature[]
  readonly chord: Signature | null
}

/** A request as text, in which every number of Python's stays what it is. */
export const requestText = (request: CallRequest): string => stringifyPythonJson(request)

/** The request that `requestText` has written. */
export const readRequest = (text: string): CallRequest => parsePythonJson(text) as CallRequest

/** The request of a call of which nothing but this is known. */
export const bareRequest = (id: string, task: string, queue: string): CallRequest => ({
  id,
  task,
  rootId: null,
  parentId: null,
  group: null,
  groupIndex: null,
  ignoreResult: false,
  origin: null,
  replyTo: null,
  correlationId: null,
  queue,
  priority: 0,
  retries: 0,
  stampedHeaders: [],
  stamps: {},
  callbacks: [],
  errbacks: [],
  chain: [],
  chord: null,
})

/** One call of a task. */
export interface CeleryMessage {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly eta: Date | undefined
  readonly expires: Date | undefined
  /** Time limits of this call, in seconds. */
  readonly limits: { readonly hardSeconds?: number; readonly softSeconds?: number }
  readonly request: CallRequest
}

/** What a message says of itself when its body cannot be read. */
export interface MessageHeading {
  readonly id: string | undefined
  readonly task: string | undefined
  readonly queue: string
  readonly deliveryTag: string | undefined
}

/** A message, or why it cannot be read: `reason` is a sentence without any value of it. `length` is that of its text, unpacked. */
export type DecodedMessage =
  | { readonly heading: MessageHeading; readonly length: number; readonly message: CeleryMessage }
  | { readonly heading: MessageHeading; readonly length: number; readonly reason: string }

/** Decodes a message as it stands in the list `queue`. */
export const decodeMessage = (raw: string, queue: string): DecodedMessage => {
  let heading: MessageHeading = { id: undefined, task: undefined, queue, deliveryTag: undefined }
  let { length } = raw
  try {
    const envelope = readEnvelope(raw)
    const { headers } = envelope
    heading = headingOf(envelope, queue)
    const text = unpackBody(envelope)
    length = Math.max(length, text.length)
    const body = parseBody(text)
    const call = heading.task === undefined ? readProtocol1(body) : readProtocol2(headers, body)
    heading = { ...heading, id: call.id, task: call.task }
    return { heading, length, message: toMessage(call, envelope, queue) }
  } catch (error) {
    if (!(error instanceof UnreadableMessage)) throw error
    return { heading, length, reason: error.message }
  }
}

const headingOf = ({ headers, properties }: Envelope, queue: string): MessageHeading => ({
  id: textOf(headers['id']) ?? textOf(properties['correlation_id']) ?? undefined,
  task: textOf(headers['task']) ?? undefined,
  queue,
  deliveryTag: textOf(properties['delivery_tag']) ?? undefined,
})

/** The parts of a call, wherever its protocol has them. */
interface RawCall {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, unknown>>
  readonly embed: Readonly<Record<string, unknown>>
}

const readProtocol2 = (headers: Readonly<Record<string, unknown>>, body: unknown): RawCall => {
  if (!Array.isArray(body)) throw new UnreadableMessage('The body must be a list of arguments, keywords and options.')
  const [args, kwargs, embed] = body as unknown[]
  return {
    id: mustBeText(headers['id'], 'id'),
    task: mustBeText(headers['task'], 'task'),
    args: mustBeList(args),
    kwargs: mustBeObject(kwargs),
    headers,
    embed: isObject(embed) ? embed : {},
  }
}

/** Protocol 1 has everything in the body. */
const readProtocol1 = (body: unknown): RawCall => {
  if (!isObject(body)) throw new UnreadableMessage('The message names no task, in its headers or in its body.')
  return {
    id: mustBeText(body['id'], 'id'),
    task: mustBeText(body['task'], 'task'),
    args: mustBeList(body['args']),
    kwargs: mustBeObject(body['kwargs']),
    headers: { ...body, group: body['taskset'] },
    embed: body,
  }
}

const toMessage = (
  { id, task, args, kwargs, headers, embed }: RawCall,
  { properties }: Envelope,
  queue: string,
): CeleryMessage => {
  const [hard, soft] = Array.isArray(headers['timelimit']) ? (headers['timelimit'] as unknown[]) : []
  const priority = wholeOf(properties['priority'])
  return {
    id,
    task,
    args,
    kwargs,
    eta: timeOf(headers['eta'], 'eta'),
    expires: timeOf(headers['expires'], 'expires'),
    limits: {
      ...(isLimit(hard) && { hardSeconds: hard }),
      ...(isLimit(soft) && { softSeconds: soft }),
    },
    request: {
      id,
      task,
      rootId: textOf(headers['root_id']),
      parentId: textOf(headers['parent_id']),
      group: textOf(headers['group']),
      groupIndex: Number.isSafeInteger(headers['group_index']) ? Number(headers['group_index']) : null,
      ignoreResult: headers['ignore_result'] === true,
      origin: textOf(headers['origin']),
      replyTo: textOf(properties['reply_to']),
      correlationId: textOf(properties['correlation_id']),
      queue,
      priority: Math.min(9, Math.max(0, priority)),
      retries: Math.max(0, wholeOf(headers['retries'])),
      stampedHeaders: textsOf(headers['stamped_headers']),
      stamps: isObject(headers['stamps']) ? headers['stamps'] : {},
      callbacks: signaturesOf(embed['callbacks']),
      errbacks: signaturesOf(embed['errbacks']),
      chain: signaturesOf(embed['chain']),
      chord: isSignature(embed['chord']) ? embed['chord'] : null,
    },
  }
}

const isSignature = (value: unknown): value is Signature & Record<string, unknown> =>
  isObject(value) && typeof value['task'] === 'string'

const signaturesOf = (value: unknown): readonly Signature[] => (Array.isArray(value) ? value.filter(isSignature) : [])

const isLimit = (value: unknown): value is number => typeof value === 'number' && value > 0 && Number.isFinite(value)

/** A whole number, also one that is written as text; 0 for anything else. */
const wholeOf = (value: unknown): number => {
  const number = typeof value === 'string' ? Number(value) : value
  return Number.isSafeInteger(number) ? Number(number) : 0
}

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** Longest id and name that are stored. */
const maxText = 255

/** Whether PostgreSQL stores a text: every character but U+0000, and no half of a surrogate pair. */
const isStorable = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text)

/** Whether a text may be the id or the name of a call that is stored. */
export const isUsableText = (text: string): boolean => text.length <= maxText && isStorable(text)

const mustBeText = (value: unknown, name: string): string => {
  const text = textOf(value)
  if (text === null) throw new UnreadableMessage(`The message has no ${name}.`)
  if (text.length > maxText) throw new UnreadableMessage(`The ${name} is longer than ${maxText} characters.`)
  if (!isStorable(text)) throw new UnreadableMessage(`The ${name} contains a zero byte, or half of a character.`)
  return text
}

const mustBeList = (value: unknown): readonly unknown[] => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new UnreadableMessage('The positional arguments must be a list.')
  return value
}

const mustBeObject = (value: unknown): Readonly<Record<string, unknown>> => {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new UnreadableMessage('The keyword arguments must be an object.')
  return value
}

const timeOf = (value: unknown, name: string): Date | undefined => {
  if (value === undefined || value === null || value === '') return undefined
  const time = readTime(value)
  if (!time) throw new UnreadableMessage(`The ${name} is not a time.`)
  return time
}
