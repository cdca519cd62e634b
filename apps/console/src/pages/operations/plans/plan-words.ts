import type { Schemas } from '../../../api/client.ts'
import { formatCapped, plural } from '../../../format/numbers.ts'
import type { Tone } from '../../../ui/status.tsx'

type Plan = Schemas['PlanSummary']
export type PlanAction = Plan['action']

const verbs: Record<PlanAction, string> = { retry: 'Retry', revoke: 'Revoke', purge: 'Purge' }

/** The verb on the button that runs a plan: `Retry 12 tasks`. */
export const verbOf = ({ action, count }: Pick<Plan, 'action' | 'count'>): string =>
  `${verbs[action]} ${plural(count, 'task')}`

/** The plan in a few words, for headings and lists: `Retry 12 tasks`, `Cancel 1,000,000+ tasks`. */
export const titleOf = ({ action, count, count_is_capped: isCapped }: Plan): string =>
  count === 1 && !isCapped ? `${verbs[action]} 1 task` : `${verbs[action]} ${formatCapped(count, isCapped)} tasks`

/** What running it does. */
export const effectOf = ({ action, terminate }: Pick<Plan, 'action' | 'terminate'>): string => {
  if (action === 'retry') return 'Makes a new task of each; the ended ones stay as they are. A task is done again once.'
  if (action === 'purge') return 'Cancels those that have not started; they do not come back. Running tasks go on.'
  return terminate
    ? 'Cancels waiting tasks. Running tasks get a signal to stop, and are killed if they have not stopped within the grace period; other tasks of the same process are killed with them and done again.'
    : 'Cancels those that wait, and asks those that run to end.'
}

/** Progress in words: `9 changed, 2 skipped, 1 failed, of 12`. */
export const progressOf = ({ done, skipped, failed, total }: Plan): string =>
  `${plural(done, 'task')} changed, ${skipped} skipped, ${failed} failed, of ${total}`

export const toneOf: Record<Plan['state'], Tone> = { planned: 'idle', expired: 'warn', running: 'info', finished: 'ok' }

/** The conditions of a plan as words. */
export const filterWords = (filter: Plan['filter']): string => {
  const words = Object.entries(filter).map(([name, value]) => {
    if (name === 'ids') return plural(Array.isArray(value) ? value.length : Number(value), 'chosen task')
    if (name === 'person') return 'one person'
    return `${name.replace(/_(id|code)$/, '')}:${Array.isArray(value) ? value.join(',') : String(value)}`
  })
  return words.length === 0 ? 'all tasks' : words.join(' ')
}
