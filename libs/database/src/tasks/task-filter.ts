import {
  batchPredictions,
  isNamePattern,
  processPrediction,
  storedNames,
  taskStates,
  type TaskState,
} from '#libs/tasks/contracts'
import { Conditions, endKind, sourcesOfStates, type StateSource } from '../lists/list-sources.js'
import { firstIdOf } from '../lists/uuid-time.js'
import { isOfModel } from './task-search.sql.js'

/** Which tasks: all that fit every condition that is set. */
export interface TaskFilter {
  readonly ids?: readonly string[] | undefined
  /** Each `*` in it stands for any characters. */
  readonly name?: string | undefined
  readonly states?: readonly TaskState[] | undefined
  readonly queue?: string | undefined
  readonly worker?: string | undefined
  readonly errorCode?: string | undefined
  readonly userId?: number | undefined
  /** Tasks that compute or explain this prediction. */
  readonly predictionId?: number | undefined
  /** A batch and its chunks. */
  readonly batchId?: string | undefined
  /** A task with the tasks that it has called. */
  readonly familyOf?: string | undefined
  /** `name@version`, or the name alone for all its versions. */
  readonly model?: string | undefined
  /** Made at this time or later. */
  readonly since?: Date | undefined
  /** Made before this time. */
  readonly until?: Date | undefined
  /** Only those that may be done again: not yet done again, and no batch. */
  readonly mayReplay?: boolean | undefined
  /** Only tasks with a smaller id. */
  readonly before?: string | undefined
}

/** What has not ended comes first: a task that ends meanwhile is found twice rather than not at all. */
const ofPerson: readonly StateSource[] = [{ kind: 'unfinished' }, { kind: 'finished' }]

/** States of tasks that may have an error. */
const withErrors = taskStates.filter((state) => state !== 'succeeded')

/** The sources that together hold every task that fits. */
export const sourcesOf = ({ ids, states, userId, errorCode }: TaskFilter): readonly StateSource[] => {
  if (ids) return [{ kind: 'all' }]
  // A person's tasks with an error are in an index by how they ended.
  if (!states && userId !== undefined && errorCode !== undefined) return sourcesOfStates(withErrors)
  return sourcesOfStates(states).flatMap((source) =>
    source.kind === 'all' && userId !== undefined ? ofPerson : [source],
  )
}

/** The clocks of two processes differ by less. */
const clockErrorMs = 3_600_000
/** Before the newest task that fits there are those of this time: few, however many are made each second. */
const clockLeadMs = 60_000

/** The tasks that a step of a walk reads, newest first, by the index in which most of them fit. */
export const stretchOf = (
  filter: TaskFilter,
  source: StateSource,
  before: string,
): { readonly from: string; readonly values: readonly unknown[] } => {
  const { ids, userId, since, until } = filter
  const conditions = new Conditions().add('id < ?', before)
  // An id has the time of the process that made it, whose clock may be wrong.
  if (since) conditions.add('id >= ?', firstIdOf(new Date(since.getTime() - clockErrorMs)))
  if (until) conditions.add('id < ?', firstIdOf(new Date(until.getTime() + clockLeadMs)))
  if (ids) conditions.add('id = ANY(?)', ids)
  // No index has the unfinished tasks of a person.
  const isOfPerson = userId !== undefined && source.kind !== 'unfinished'
  if (isOfPerson) conditions.add('user_id = ?', userId)
  if (source.kind === 'finished') conditions.add('finished_at IS NOT NULL')
  addIndexed(conditions, filter, source, isOfPerson)
  return { from: `FROM tasks WHERE ${conditions.text} ORDER BY id DESC`, values: conditions.values }
}

/** The one condition for which there is an index. */
const addIndexed = (
  conditions: Conditions,
  { name, queue, errorCode }: TaskFilter,
  source: StateSource,
  isOfPerson: boolean,
): void => {
  if (source.kind === 'ended') {
    if (!isOfPerson && errorCode !== undefined) conditions.add('error_code = ?', errorCode)
    else conditions.add(`error_code IS NOT NULL AND ${endKind} = ?`, source.state)
  } else if (!isOfPerson) {
    // A batch has two stored names, which no index holds together; its queue holds hardly anything else.
    const narrow = queue ?? (name === batchPredictions.name ? batchPredictions.queue : undefined)
    if (errorCode !== undefined) conditions.add('error_code = ?', errorCode)
    else if (name !== undefined && isSingleName(name))
      conditions.add(`name <> '${processPrediction.name}' AND name = ?`, name)
    else if (narrow !== undefined && narrow !== processPrediction.queue)
      conditions.add(`queue <> '${processPrediction.queue}' AND queue = ?`, narrow)
  }
}

const isSingleName = (name: string): boolean =>
  name !== processPrediction.name && name !== batchPredictions.name && !isNamePattern(name)

/** Adds what a task `t` must fit. What `TaskListRepository` resolves to ids is not among it. */
export const addFilter = (
  conditions: Conditions,
  { name, queue, worker, errorCode, userId, batchId, model, since, until, ids, mayReplay }: TaskFilter,
  states: readonly TaskState[] | undefined,
): void => {
  if (ids) conditions.add('t.id = ANY(?)', ids)
  if (name !== undefined) conditions.add('name = ANY(?)', storedNames(name))
  if (queue !== undefined) conditions.add('queue = ?', queue)
  if (worker !== undefined) conditions.add('worker = ?', worker)
  if (errorCode !== undefined) conditions.add('error_code = ?', errorCode)
  if (userId !== undefined) conditions.add('user_id = ?', userId)
  if (batchId !== undefined) conditions.add('name = ANY(?)', storedNames(batchPredictions.name))
  if (since) conditions.add('created_at >= ?', since)
  if (until) conditions.add('created_at < ?', until)
  if (states) conditions.add('state = ANY(?)', states)
  if (mayReplay) {
    conditions.add('NOT EXISTS (SELECT 1 FROM tasks r WHERE r.replay_of = t.id)')
    conditions.add('name <> ALL(?)', storedNames(batchPredictions.name))
  }
  if (model !== undefined) conditions.add(isOfModel, model)
}
