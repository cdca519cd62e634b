import { redactedArgs } from '../wire/encode-message.js'

/** What became of a call, for those who watch tasks. Arguments and results are no part of it: they hold people's data. */
export type TaskEvent =
  | {
      readonly type: 'task-received'
      readonly task: string
      readonly rootId: string | null
      readonly parentId: string | null
      readonly retries: number
      readonly eta?: Date | undefined
      readonly expires?: Date | undefined
    }
  | { readonly type: 'task-started' }
  | { readonly type: 'task-succeeded'; readonly runtimeSeconds: number }
  /** `exception` as Python's `repr` shows it. */
  | { readonly type: 'task-failed' | 'task-retried'; readonly exception: string; readonly traceback?: string | null }
  | { readonly type: 'task-revoked'; readonly terminated: boolean; readonly expired: boolean }
  | { readonly type: 'task-rejected' }

const isoTime = (time: Date | undefined): string | null => time?.toISOString().replace('Z', '+00:00') ?? null

/** The fields of the event, by Celery's names. */
export const taskEventFields = (event: TaskEvent): Readonly<Record<string, unknown>> => {
  switch (event.type) {
    case 'task-received':
      return {
        name: event.task,
        args: redactedArgs,
        kwargs: '{...}',
        root_id: event.rootId,
        parent_id: event.parentId,
        retries: event.retries,
        eta: isoTime(event.eta),
        expires: isoTime(event.expires),
      }
    case 'task-started':
      return {}
    case 'task-succeeded':
      return { result: redactedResult, runtime: event.runtimeSeconds }
    case 'task-failed':
    case 'task-retried':
      return { exception: event.exception, traceback: event.traceback ?? '' }
    case 'task-revoked':
      return { terminated: event.terminated, signum: event.terminated ? 'SIGTERM' : null, expired: event.expired }
    case 'task-rejected':
      return { requeue: false }
  }
}

const redactedResult = '{...}'
