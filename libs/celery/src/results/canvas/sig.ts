import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../../wire/is-object.js'

/** Thrown for a signature that Celery could not call either. Its message holds no argument. */
export class UnusableSignature extends Error {}

export type SigOptions = Record<string, unknown>

/** A signature as it is prepared for publishing: complete, our own copy, and changed by freezing. It is JSON as it stands. */
export interface Sig {
  task: string
  args: unknown[]
  kwargs: Record<string, unknown>
  options: SigOptions
  subtask_type: string | null
  immutable: boolean
}

export interface GroupSig extends Sig {
  kwargs: { tasks: Sig[] }
}
export interface ChordSig extends Sig {
  kwargs: { kwargs: unknown; header: Sig[]; body: Sig }
}

export const isGroup = (sig: Sig): sig is GroupSig => sig.subtask_type === 'group'
export const isChain = (sig: Sig): sig is GroupSig => sig.subtask_type === 'chain'
export const isChord = (sig: Sig): sig is ChordSig => sig.subtask_type === 'chord'

/** Reads a copy of a signature. @throws {UnusableSignature} */
export const readSig = (value: unknown): Sig => {
  if (!isObject(value) || typeof value['task'] !== 'string') {
    throw new UnusableSignature('A signature must be an object that names a task.')
  }
  const plain: Sig = {
    task: value['task'],
    args: Array.isArray(value['args']) ? [...(value['args'] as unknown[])] : [],
    kwargs: isObject(value['kwargs']) ? { ...value['kwargs'] } : {},
    options: isObject(value['options']) ? { ...value['options'] } : {},
    subtask_type: typeof value['subtask_type'] === 'string' ? value['subtask_type'] : null,
    immutable: value['immutable'] === true,
  }
  if (plain.subtask_type === 'chord') return readChord(plain)
  if (!isGroup(plain) && !isChain(plain)) return plain
  // Celery drops the arguments of a group and of a chain when it reads them.
  return { ...plain, args: [], immutable: false, kwargs: { tasks: readSigs(plain.kwargs.tasks) } }
}

const readSigs = (value: unknown): Sig[] => {
  if (!Array.isArray(value)) throw new UnusableSignature('The tasks of a group, chain or chord must be a list.')
  return value.map(readSig)
}

/** A header may be a list, or a group or chain of which only the tasks count, or one task. */
const readChord = (chord: Sig): Sig => {
  const { header, body, ...more } = chord.kwargs
  const only = isObject(header) ? readSig(header) : undefined
  const tasks = only && (isGroup(only) || isChain(only)) ? only.kwargs.tasks : only ? [only] : readSigs(header)
  return { ...chord, kwargs: { ...more, header: tasks, body: readSig(body) } }
}

const taskSig = (task: string): Sig => ({
  task,
  args: [],
  kwargs: {},
  options: {},
  subtask_type: null,
  immutable: false,
})

export const groupOf = (tasks: Sig[], options: SigOptions = {}): GroupSig => ({
  ...taskSig('celery.group'),
  kwargs: { tasks },
  options,
  subtask_type: 'group',
})

export const chordOf = (header: Sig[], body: Sig, options: SigOptions = {}): ChordSig => ({
  ...taskSig('celery.chord'),
  kwargs: { kwargs: {}, header, body },
  options,
  subtask_type: 'chord',
})

/** A copy that shares nothing that freezing changes. */
export const cloneSig = <Kind extends Sig>(sig: Kind): Kind => {
  const copy = { ...sig, args: [...sig.args], kwargs: { ...sig.kwargs }, options: cloneOptions(sig.options) }
  if (isGroup(copy) || isChain(copy)) copy.kwargs = { tasks: copy.kwargs.tasks.map(cloneSig) }
  else if (isChord(copy)) {
    copy.kwargs = { ...copy.kwargs, header: copy.kwargs.header.map(cloneSig), body: cloneSig(copy.kwargs.body) }
  }
  return copy
}

const cloneOptions = (options: SigOptions): SigOptions =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, Array.isArray(value) ? [...(value as unknown[])] : value]),
  )

/** Options that a caller of a signature cannot replace: a chord would wait for ever. */
const fixedOptions = ['group_id', 'stamped_headers']

/** The options of a signature with those of a call over them. What is null in the call counts as not given. */
export const mergeOptions = (own: SigOptions, given: SigOptions): SigOptions => {
  const fixed = new Set([...fixedOptions, ...listOption(own['stamped_headers']).map(String)])
  const replaced = Object.entries(given).filter(
    ([name, value]) => value !== null && value !== undefined && !(fixed.has(name) && Object.hasOwn(own, name)),
  )
  return { ...own, ...Object.fromEntries(replaced) }
}

/** An option that is one value, a list of them, or absent. */
export const listOption = (value: unknown): readonly unknown[] => {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

export const textOption = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** Adds a callback or an errback to the list of them, unless it is there already. */
export const appendOption = (sig: Sig, name: 'link' | 'link_error', added: unknown): void => {
  const list = listOption(sig.options[name])
  if (!list.some((one) => isDeepStrictEqual(one, added))) sig.options[name] = [...list, added]
}

/** How many parts a signature gives to the chord whose header it is in. */
export const partsOf = (sig: Sig): number => {
  if (isGroup(sig)) return sig.kwargs.tasks.reduce((sum, task) => sum + partsOf(task), 0)
  if (isChain(sig)) return sig.kwargs.tasks.map(partsOf).findLast((parts) => parts > 0) ?? 0
  return isChord(sig) ? partsOf(sig.kwargs.body) : 1
}
