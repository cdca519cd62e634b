import { randomUUID } from 'node:crypto'
import { stringifyPythonJson } from './python-json.js'
import type { Signature } from './signature.js'

/** A call that we send ourselves: what follows from a task that has ended. */
export interface NewMessage {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** ISO times, in UTC. */
  readonly eta?: string | null
  readonly expires?: string | null
  readonly group?: string | null
  readonly groupIndex?: number | null
  readonly retries?: number
  /** Hard and soft limit, in seconds. */
  readonly timelimit?: readonly [number | null, number | null]
  readonly rootId?: string | null
  readonly parentId?: string | null
  readonly origin: string
  readonly ignoreResult?: boolean
  readonly replacedTaskNesting?: number
  readonly stampedHeaders?: readonly string[] | null
  readonly stamps?: Readonly<Record<string, unknown>>
  readonly callbacks?: readonly Signature[] | null
  readonly errbacks?: readonly Signature[] | null
  readonly chain?: readonly Signature[] | null
  readonly chord?: Signature | null
  readonly queue: string
  readonly exchange?: string
  readonly priority: number
  readonly replyTo?: string | null
  readonly shadow?: string | null
  /** Headers beyond those of Celery. */
  readonly headers?: Readonly<Record<string, unknown>>
  /** Milliseconds until the message is worthless. */
  readonly expiration?: number | undefined
}

/** What stands for arguments where they are shown: they hold people's data. */
export const redactedArgs = '(...)'

/** A message of protocol 2, as kombu writes it into a list. */
export const encodeMessage = (message: NewMessage): string => {
  const { args, kwargs, callbacks = null, errbacks = null, chain = null, chord = null } = message
  const body = stringifyPythonJson([args, kwargs, { callbacks, errbacks, chain, chord }])
  return stringifyPythonJson({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {
      lang: 'py',
      task: message.task,
      id: message.id,
      shadow: message.shadow ?? null,
      eta: message.eta ?? null,
      expires: message.expires ?? null,
      group: message.group ?? null,
      group_index: message.groupIndex ?? null,
      retries: message.retries ?? 0,
      timelimit: message.timelimit ?? [null, null],
      root_id: message.rootId ?? message.id,
      parent_id: message.parentId ?? null,
      argsrepr: redactedArgs,
      kwargsrepr: redactedArgs,
      origin: message.origin,
      ignore_result: message.ignoreResult ?? false,
      replaced_task_nesting: message.replacedTaskNesting ?? 0,
      stamped_headers: message.stampedHeaders ?? null,
      stamps: message.stamps ?? {},
      ...message.headers,
    },
    properties: {
      correlation_id: message.id,
      reply_to: message.replyTo ?? '',
      ...(message.expiration !== undefined && { expiration: String(message.expiration) }),
      delivery_mode: 2,
      delivery_info: { exchange: message.exchange ?? '', routing_key: message.queue },
      priority: message.priority,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  })
}
