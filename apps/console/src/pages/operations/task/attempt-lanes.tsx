import { useElementSize } from '@mantine/hooks'
import { formatCount } from '../../../format/numbers.ts'
import { formatTime } from '../../../format/times.ts'
import { plainWords } from '../../../format/words.ts'
import { useZone } from '../../../format/zone.tsx'
import type { Schemas } from '../../../api/client.ts'
import { useClock } from '../../../ui/clock.ts'
import { WorkerLink } from '../../../ui/links.tsx'
import { Status, type Tone } from '../../../ui/status.tsx'
import { lanesOf, type Lane, type PartKind } from './lanes.ts'
import classes from './attempt-lanes.module.css'

/** Lanes that are drawn before somebody asks for all. */
const shownLanes = 20
const height = 22

const tones: Record<string, Tone> = {
  succeeded: 'ok',
  retried: 'warn',
  failed: 'bad',
  timed_out: 'bad',
  lost: 'bad',
  released: 'idle',
  cancelled: 'idle',
  expired: 'warn',
}

const kinds: readonly (readonly [PartKind, string])[] = [
  ['scheduled', 'scheduled'],
  ['waited', 'queued'],
  ['ran', 'claimed and running'],
]

interface AttemptLanesProps {
  readonly task: Schemas['Task']
  readonly isWhole: boolean
  readonly onWhole: () => void
  /** Why it waits now, where that is known. */
  readonly reason: string | undefined
}

/** A line for each attempt on one scale of time, each part named with its length. */
export const AttemptLanes = ({ task, isWhole, onWhole, reason }: AttemptLanesProps) => {
  const now = useClock(task.finished_at === null)
  const { ref, width } = useElementSize()
  const all = lanesOf(task, now)
  const lanes = isWhole ? all : all.slice(-shownLanes)
  const times = lanes.flatMap(({ parts, storedAt }) => [
    ...parts.flatMap(({ from, to }) => [from, to]),
    ...(storedAt === undefined ? [] : [storedAt]),
  ])
  const first = times.reduce((least, at) => Math.min(least, at), Infinity)
  const last = times.reduce((most, at) => Math.max(most, at), first + 1)
  // Room for the mark at the end.
  const x = (at: number): number => ((at - first) / (last - first)) * Math.max(width - 14, 1)
  return (
    <div>
      <div className={classes.legend} aria-hidden="true">
        {kinds.map(([kind, words]) => (
          <span key={kind}>
            <i data-kind={kind} />
            {words}
          </span>
        ))}
        <span>
          <i data-kind="stored" />
          outcome stored
        </span>
      </div>
      {lanes.length < all.length && (
        <button type="button" className={classes.more} onClick={onWhole}>
          Show all {formatCount(all.length)} attempts, from the first
        </button>
      )}
      <ol className={classes.lanes} ref={ref}>
        {lanes.map((lane) => (
          <LaneRow key={lane.attempt} lane={lane} x={x} width={width} reason={reason} />
        ))}
      </ol>
    </div>
  )
}

interface LaneRowProps {
  readonly lane: Lane
  readonly x: (at: number) => number
  readonly width: number
  readonly reason: string | undefined
}

const LaneRow = ({ lane: { attempt, worker, outcome, error, parts, storedAt }, x, width, reason }: LaneRowProps) => {
  const { zone } = useZone()
  const isWaiting = outcome === undefined && parts.at(-1)?.kind !== 'ran'
  return (
    <li className={classes.lane}>
      <div className={classes.head}>
        <b>Attempt {attempt}</b>
        {worker !== null && (
          <span>
            on <WorkerLink name={worker} />
          </span>
        )}
        {outcome !== undefined && <Status tone={tones[outcome] ?? 'idle'}>{plainWords(outcome)}</Status>}
        {storedAt !== undefined && <span className={classes.note}>stored {formatTime(storedAt, zone)}</span>}
      </div>
      <svg width={width} height={height} className={classes.drawing} aria-hidden="true">
        <line x1={0} x2={width} y1={height / 2} y2={height / 2} className={classes.base} />
        {parts.map(({ kind, from, to, words }) => (
          <rect
            key={from}
            data-kind={kind}
            x={x(from)}
            y={kind === 'ran' ? 3 : 7}
            width={Math.max(x(to) - x(from), 2)}
            height={kind === 'ran' ? height - 6 : height - 14}
            rx={3}
          >
            <title>{words}</title>
          </rect>
        ))}
        {storedAt !== undefined && (
          <path className={classes.stored} d={`M${x(storedAt) + 6} ${height / 2}m0 -6l6 6l-6 6l-6 -6z`} />
        )}
      </svg>
      <div className={classes.words}>
        {parts.map(({ from, words }, index) => (
          <span key={from}>
            {index > 0 && ', '}
            {words}
          </span>
        ))}
        {isWaiting && reason !== undefined && <b>: {reason}</b>}
        {error !== null && (
          <span className={classes.error}>
            <code>{error.code}</code> {error.message}
          </span>
        )}
      </div>
    </li>
  )
}
