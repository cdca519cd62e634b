import type { Schemas } from '../../../api/client.ts'
import { plural } from '../../../format/numbers.ts'
import { formatDuration } from '../../../format/times.ts'
import type { Tone } from '../../../ui/status.tsx'

type Worker = Schemas['Worker']
type Command = Schemas['WorkerCommand']
export type CommandName = Command['command']

const tones: Record<Worker['state'], Tone> = {
  starting: 'info',
  ready: 'ok',
  draining: 'warn',
  stopped: 'idle',
  stale: 'bad',
}

const words: Record<Worker['state'], string> = {
  starting: 'starting',
  ready: 'online',
  draining: 'finishing its tasks',
  stopped: 'stopped',
  stale: 'stale',
}

/** The state of a worker, with how long it has been silent: `stale for 42 s`. */
export const standingOf = ({ state, heartbeat_at: at }: Worker, now: number) => ({
  tone: tones[state],
  words:
    state === 'stale'
      ? `stale for ${formatDuration(Math.max(Math.floor((now - new Date(at).getTime()) / 1000), 0), 1)}`
      : words[state],
})

/** Whether a worker takes commands. */
export const isThere = ({ state }: Worker): boolean => state !== 'stopped' && state !== 'stale'

const text = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value))

/** What a worker responded to a command, as a sentence. */
export const replyOf = ({ acknowledged, command, answer }: Command): string => {
  if (!acknowledged)
    return 'The worker has not responded within 5 s. It does the command if it comes back within a minute.'
  const said = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {}
  switch (command) {
    case 'ping':
      return 'The worker responded.'
    case 'shutdown':
      return `The worker stops ${text(said['stopping'])}.`
    case 'pool-grow':
    case 'pool-shrink':
      return `It now has ${plural(Number(said['children']), 'compute process', 'compute processes')}.`
    case 'pool-restart':
      return `It has ${plural(Number(said['children']), 'new compute process', 'new compute processes')}.`
    case 'add-consumer':
    case 'cancel-consumer':
      return `It now consumes ${text(said['queues']) || 'no queue'}.`
    case 'rate-limit':
      return said['rate'] === '0'
        ? `${text(said['task'])} is no longer limited.`
        : `${text(said['task'])} starts at most ${text(said['rate'])}.`
    case 'time-limit':
      return `${text(said['task'])} may take ${text(said['soft'])} s, and is killed after ${text(said['hard'])} s.`
  }
}
