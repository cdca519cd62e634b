import { redactedArgs } from '../wire/encode-message.js'
import type { CallInfo, ScheduledCall } from './celery-calls.js'

/** A call as Celery's worker shows it. Arguments are redacted, in the form that the caller expects them in. */
export const shownCall = (worker: string, call: CallInfo, isSafe = false): object => ({
  id: call.id,
  name: call.task,
  args: isSafe ? redactedArgs : ['...'],
  kwargs: isSafe ? '{...}' : { '...': '...' },
  type: call.task,
  hostname: worker,
  time_start: call.startedAt ? call.startedAt.getTime() / 1000 : null,
  // It is acknowledged as soon as it is stored.
  acknowledged: true,
  delivery_info: { exchange: '', routing_key: call.queue, priority: call.priority, redelivered: null },
  worker_pid: call.startedAt ? process.pid : null,
})

export const shownScheduledCall = (worker: string, call: ScheduledCall): object => ({
  eta: call.eta.toISOString().replace('Z', '+00:00'),
  // The priority of Celery's timer.
  priority: 6,
  request: shownCall(worker, call),
})

/** A queue as kombu describes it. */
export const shownQueue = (name: string): object => ({
  name,
  exchange: {
    name,
    type: 'direct',
    arguments: null,
    durable: true,
    passive: false,
    auto_delete: false,
    delivery_mode: null,
    no_declare: false,
  },
  routing_key: name,
  queue_arguments: null,
  binding_arguments: null,
  consumer_arguments: null,
  durable: true,
  exclusive: false,
  auto_delete: false,
  no_ack: false,
  alias: null,
  bindings: [],
  no_declare: null,
  expires: null,
  message_ttl: null,
  max_length: null,
  max_length_bytes: null,
  max_priority: null,
})
