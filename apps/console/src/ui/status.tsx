import type { Schemas } from '../api/client.ts'
import { plainWords } from '../format/words.ts'
import classes from './status.module.css'

/** How good or bad something is. Each has a colour and a shape of its own. */
export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'idle'

const shapes: Record<Tone, string> = {
  // A tick, a triangle, a cross, a ring with a mark, a ring.
  ok: 'M3.5 8.5l3 3 6-7',
  warn: 'M8 2.5l6 11H2z M8 6.5v3.2 M8 11.7v.1',
  bad: 'M4 4l8 8 M12 4l-8 8',
  info: 'M8 8m-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0 M8 7.5v3.5 M8 5v.1',
  idle: 'M8 8m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0',
}

/** The shape of a tone, beside the words that say the same. */
export const StatusIcon = ({ tone, size = 16 }: { readonly tone: Tone; readonly size?: number }) => (
  <svg className={classes.icon} data-tone={tone} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
    <path
      d={shapes[tone]}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
)

interface StatusProps {
  readonly tone: Tone
  readonly children: string
}

/** A state in words, on its colour, with its shape. */
export const Status = ({ tone, children }: StatusProps) => (
  <span className={classes.status} data-tone={tone}>
    <StatusIcon tone={tone} size={12} />
    {children}
  </span>
)

export type TaskState = Schemas['TaskSummary']['state']

const toneOfState: Record<TaskState, Tone> = {
  scheduled: 'idle',
  queued: 'idle',
  retrying: 'warn',
  running: 'info',
  succeeded: 'ok',
  failed: 'bad',
  timed_out: 'bad',
  cancelled: 'idle',
  expired: 'warn',
}

const ended = new Set<TaskState>(['succeeded', 'failed', 'timed_out', 'cancelled', 'expired'])

/** Whether a task, prediction or batch in this state changes no more; not for a state that is not known yet. */
export const isEnded = (state: TaskState | undefined): boolean => state !== undefined && ended.has(state)

/** State of a task, prediction or batch. */
export const TaskStatus = ({ state }: { readonly state: TaskState }) => (
  <Status tone={toneOfState[state]}>{plainWords(state)}</Status>
)
