import type { DescribedMessage, SurveyedQueue, SurveyedUnacked } from '#libs/celery'
import type { ClientGroup, LaterMessages, QueueState, UnackedState } from './celery-facts.js'

/** Most hosts and characters that are shown: callers choose them. */
const mostHosts = 10
const mostCharacters = 100

const shown = (text: string): string => text.slice(0, mostCharacters)

const countBy = <Item>(items: readonly Item[], nameOf: (item: Item) => string): Record<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(shown(nameOf(item)), (counts.get(shown(nameOf(item))) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([, one], [, other]) => other - one))
}

/** Names like those of our tasks. What others send to their own workers, these may be able to read. */
export const isLikeOurs = (task: string): boolean => task.startsWith('ml.')

/** Counts tasks, and reasons of what cannot be read. */
export const toQueueState = ({ name, length, sample }: SurveyedQueue): QueueState => {
  const isUnreadable = ({ reason, task }: DescribedMessage) =>
    reason !== undefined && (task === undefined || isLikeOurs(task))
  const readable = sample.filter((message) => !isUnreadable(message))
  const unreadable = sample.filter(isUnreadable)
  return {
    name: shown(name),
    length,
    read: sample.length,
    tasks: countBy(readable, ({ task }) => task ?? 'unknown'),
    unreadable: countBy(unreadable, ({ reason }) => reason ?? ''),
  }
}

/** The releases of Celery that messages come from, with their hosts. */
export const groupClients = (messages: readonly DescribedMessage[]): readonly ClientGroup[] => {
  const groups = new Map<string, { messages: number; hosts: Set<string> }>()
  for (const { client, host } of messages) {
    if (client === undefined) continue
    const release = shown(client)
    const group = groups.get(release) ?? { messages: 0, hosts: new Set() }
    groups.set(release, group)
    group.messages += 1
    if (host !== undefined && group.hosts.size < mostHosts) group.hosts.add(shown(host))
  }
  return [...groups].map(([release, group]) => ({ release, messages: group.messages, hosts: [...group.hosts].sort() }))
}

/** Those that are to run later than `now`, in milliseconds. */
export const toLater = (messages: readonly DescribedMessage[], now: number): LaterMessages => {
  const times = messages.flatMap(({ eta }) => (eta && eta.getTime() > now ? [eta.getTime()] : []))
  return {
    messages: times.length,
    last_in_seconds: times.length === 0 ? null : Math.round((Math.max(...times) - now) / 1000),
  }
}

export const toUnackedState = ({ count, ours, oldestSeconds, sample }: SurveyedUnacked, now: number): UnackedState => ({
  messages: count,
  by_memoryguard: ours,
  oldest_seconds: oldestSeconds ?? null,
  tasks: countBy(sample, ({ task }) => task ?? 'unknown'),
  later: toLater(sample, now),
})
