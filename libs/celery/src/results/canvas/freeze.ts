import { taskResult, type ResultNode } from '../result-node.js'
import {
  appendOption,
  chordOf,
  cloneSig,
  groupOf,
  isChain,
  isChord,
  isGroup,
  textOption,
  UnusableSignature,
  type ChordSig,
  type GroupSig,
  type Sig,
} from './sig.js'

/** Makes an id; the same one when the same work is planned again. */
export type NewId = () => string

/** What a signature gets as a member of a group, chord or chain. */
export interface Membership {
  readonly id?: string | undefined
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
  readonly groupId?: string | undefined
  readonly groupIndex?: number | undefined
  /** The body of the chord in whose header it is. */
  readonly chord?: unknown
}

/**
 * Freezing gives a signature, and all that are in it, the ids under which they will run, so that results and chords can
 * refer to them before they are sent. Ids that are there stay. The signature is changed in place.
 */
export const freeze = (sig: Sig, how: Membership, newId: NewId): ResultNode => {
  if (isGroup(sig)) return freezeGroup(sig, how, newId)
  if (isChord(sig)) return freezeChord(sig, how, newId)
  if (!isChain(sig)) return freezeTask(sig, how, newId)
  const { groupId, groupIndex, chord, rootId } = how
  const steps = { args: [], copies: false, lastId: how.id, groupId, groupIndex, chord, rootId, errbacks: [] }
  const result = prepareSteps(sig.kwargs.tasks, steps, newId).results[0]
  if (!result) throw new UnusableSignature('A chain in a group, chord or chain must have a task.')
  sig.options['task_id'] = result.id
  return result
}

const freezeTask = ({ options }: Sig, how: Membership, newId: NewId): ResultNode => {
  const id = textOption(options['task_id']) ?? how.id ?? newId()
  options['task_id'] = id
  if (how.rootId) options['root_id'] = how.rootId
  if (how.parentId) options['parent_id'] = how.parentId
  if (how.groupId && !Object.hasOwn(options, 'group_id')) options['group_id'] = how.groupId
  setMembership(options, how)
  return taskResult(id)
}

const setMembership = (options: Record<string, unknown>, { chord, groupIndex }: Membership): void => {
  if (chord) options['chord'] = chord
  if (groupIndex !== undefined) options['group_index'] = groupIndex
}

/** Groups in the group are laid out flat; as in Celery each of them comes out reversed. Empty chains are dropped. */
export const freezeGroup = (sig: GroupSig, how: Membership, newId: NewId): ResultNode => {
  const { options } = sig
  const id = textOption(options['task_id']) ?? newId()
  options['task_id'] = id
  if (how.groupId) options['group_id'] = how.groupId
  setMembership(options, how)
  options['root_id'] ??= how.rootId ?? null
  options['parent_id'] ??= how.parentId ?? null
  const { rootId, parentId } = { rootId: textOption(options['root_id']), parentId: textOption(options['parent_id']) }
  const flat: Sig[] = []
  const waiting = [...sig.kwargs.tasks]
  for (let task = waiting.shift(); task; task = waiting.shift()) {
    if (isGroup(task)) waiting.unshift(...task.kwargs.tasks.toReversed())
    else if (!isChain(task) || task.kwargs.tasks.length > 0) flat.push(cloneSig(task))
  }
  sig.kwargs.tasks.splice(0, Infinity, ...flat)
  const { groupId, chord } = how
  const children = flat.map((task, groupIndex) => freeze(task, { groupId, chord, rootId, parentId, groupIndex }, newId))
  return { id, parent: null, children }
}

/** The result of a chord is that of its body, which comes after the results of its header. */
const freezeChord = (sig: ChordSig, how: Membership, newId: NewId): ResultNode => {
  const { header, body } = sig.kwargs
  const { parentId, rootId, ...membership } = how
  const headerResult = freezeGroup(groupOf(header), { parentId, rootId, chord: body }, newId)
  sig.options['task_id'] = headerResult.id
  const result = freeze(body, { ...membership, rootId }, newId)
  firstOf(result).parent = headerResult
  return result
}

const firstOf = (result: ResultNode): ResultNode => {
  let first = result
  while (first.parent) first = first.parent
  return first
}

/** How the steps of a chain are prepared. */
export interface ChainSteps {
  /** Go to the first step. */
  readonly args: readonly unknown[]
  /** Whether the steps are copied; otherwise they are frozen in place. */
  readonly copies: boolean
  /** Id and membership of the last step: they are those of the chain. */
  readonly lastId?: string | undefined
  readonly groupId?: string | undefined
  readonly groupIndex?: number | undefined
  readonly chord?: unknown
  readonly rootId?: string | undefined
  /** Linked to every step. */
  readonly errbacks: readonly unknown[]
}

/**
 * Prepares the steps of a chain from the last to the first, the order in which a message holds them. Chains in the chain
 * are spliced into it, and a group that another step follows becomes a chord with that step as its body.
 */
export const prepareSteps = (
  tasks: readonly Sig[],
  how: ChainSteps,
  newId: NewId,
): { readonly tasks: Sig[]; readonly results: ResultNode[] } => {
  const steps = headOf(tasks)
  const prepared: Sig[] = []
  const results: ResultNode[] = []
  const { rootId, groupId, groupIndex, chord } = how
  let after: ResultNode | undefined
  let isLast = true
  for (let step = steps.pop(); step; step = steps.pop()) {
    let task = unrolled(step)
    if (isEmptyGroup(task) && (steps.length > 0 || prepared.length > 0)) continue
    if (how.copies) task = steps.length === 0 ? withArgs(cloneSig(task), how.args) : cloneSig(task)
    if (isChain(task)) {
      steps.push(...task.kwargs.tasks)
      continue
    }
    if (isGroup(task) && prepared.length > 0) {
      task = chordOf(task.kwargs.tasks, prepared.pop() as Sig, rootId === undefined ? {} : { root_id: rootId })
      after = unlink(results.at(-2), results.pop()) ?? after
    }
    const result = freeze(task, isLast ? { id: how.lastId, rootId, groupId, chord, groupIndex } : { rootId }, newId)
    isLast = false
    if (after && !after.parent) after.parent = result
    for (const errback of how.errbacks) linkError(task, errback)
    prepared.push(task)
    results.push(result)
    after = isChord(task) ? firstOf(result) : result
  }
  return { tasks: prepared, results }
}

/** The steps with chains at the head spliced in, and without empty groups there: the first real step takes the arguments. */
const headOf = (tasks: readonly Sig[]): Sig[] => {
  const steps = [...tasks]
  let empty: Sig | undefined
  for (;;) {
    const [head] = steps
    if (head && isChain(head)) steps.splice(0, 1, ...head.kwargs.tasks)
    else if (head && steps.length > 1 && isEmptyGroup(unrolled(head))) empty = steps.shift()
    else break
  }
  return steps.length === 0 && empty ? [empty] : steps
}

/** A group of one task is that task. */
const unrolled = (sig: Sig): Sig => (isGroup(sig) && sig.kwargs.tasks.length === 1 ? (sig.kwargs.tasks[0] as Sig) : sig)

const isEmptyGroup = (sig: Sig): boolean => isGroup(sig) && sig.kwargs.tasks.length === 0

/** As in Celery, a group or chain that is copied with arguments does not keep them. */
const withArgs = (sig: Sig, args: readonly unknown[]): Sig => {
  if (!sig.immutable && !isGroup(sig) && !isChain(sig)) sig.args = [...args, ...sig.args]
  return sig
}

/** Frees the result that comes after `body`, which the chord will have a result for. Returns it. */
const unlink = (result: ResultNode | undefined, body: ResultNode | undefined): ResultNode | undefined => {
  let node = result
  while (node && node.parent !== body) node = node.parent ?? undefined
  if (node) node.parent = null
  return node
}

/** Links an errback: to each task of a group; to the body of a chord and of chords in its header. */
export const linkError = (sig: Sig, errback: unknown): void => {
  if (isGroup(sig)) for (const task of sig.kwargs.tasks) linkError(task, errback)
  else if (isChord(sig)) {
    for (const task of sig.kwargs.header) if (isChord(task)) linkError(task, errback)
    linkError(sig.kwargs.body, errback)
  } else appendOption(sig, 'link_error', errback)
}

/** Links a callback: to the first task of a group, which cannot pass on a result of the group; to the body of a chord. */
export const link = (sig: Sig, callback: unknown): void => {
  if (isChord(sig)) link(sig.kwargs.body, callback)
  else if (!isGroup(sig)) appendOption(sig, 'link', callback)
  else if (sig.kwargs.tasks[0]) link(sig.kwargs.tasks[0], { ...(callback as object), immutable: true })
  else appendOption(sig, 'link', callback)
}
