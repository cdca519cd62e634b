import { isObject, type Question, type WorkerReply } from '#libs/celery'
import type { AnsweringWorker } from './celery-facts.js'

/** The commands to send to workers. The reply to `report` shows whether a worker is ours or Celery's. */
export const questions: readonly Question[] = [
  { method: 'report' },
  { method: 'active_queues' },
  { method: 'registered', arguments: { builtins: true } },
  { method: 'conf' },
]

/** kombu's own, where nothing is set. */
const defaultVisibilitySeconds = 3_600

/** The workers of the replies to `questions`. One that replied to a part of them is one all the same. */
export const toWorkers = (replies: readonly (readonly WorkerReply[])[]): readonly AnsweringWorker[] => {
  const names = [...new Set(replies.flat().map(({ worker }) => worker))].sort()
  return names.map((name) => {
    const [report, queues, tasks, conf] = replies.map((of) => of.find(({ worker }) => worker === name)?.reply)
    const software = softwareOf(report)
    const isOurs = software.startsWith('memoryguard')
    const settings = isObject(conf) ? conf : {}
    return {
      name,
      software,
      is_memoryguard: isOurs,
      queues: Array.isArray(queues) ? queues.filter(isObject).map((queue) => String(queue['name'])) : [],
      tasks: Array.isArray(tasks) ? tasks.map((task) => String(task).split(' [', 1)[0] ?? '') : [],
      visibility_timeout_seconds: isOurs ? null : visibilityOf(settings),
      acks_late: settings['task_acks_late'] === true,
      time_limit_seconds: typeof settings['task_time_limit'] === 'number' ? settings['task_time_limit'] : null,
    }
  })
}

const softwareOf = (report: unknown): string => {
  const text = isObject(report) ? String(report['ok']) : ''
  const [, name, version] = /software -> (celery|memoryguard):(\S+)/.exec(text) ?? []
  return name === undefined ? 'unknown' : `${name} ${version ?? ''}`
}

const visibilityOf = (settings: Readonly<Record<string, unknown>>): number => {
  const options = settings['broker_transport_options']
  const seconds = isObject(options) ? Number(options['visibility_timeout']) : Number.NaN
  return Number.isFinite(seconds) ? seconds : defaultVisibilitySeconds
}
