import { createHash } from 'node:crypto'
import { taskResult, type ResultNode } from '../result-node.js'
import { freeze, freezeGroup, link, linkError, prepareSteps, type NewId } from './freeze.js'
import {
  appendOption,
  cloneSig,
  groupOf,
  isChain,
  isChord,
  isGroup,
  listOption,
  mergeOptions,
  partsOf,
  textOption,
  UnusableSignature,
  type ChordSig,
  type GroupSig,
  type Sig,
  type SigOptions,
} from './sig.js'
import { toMessage, type CallContext, type OutgoingMessage } from './to-message.js'

/** What must be in the result backend before the header of a chord is sent. */
export interface ChordStart {
  readonly groupId: string
  /** How many parts its header has. */
  readonly size: number
  /** The results of the header, when they are more than a flat list of tasks. */
  readonly results?: ResultNode
}

/**
 * Calls signatures as a worker of Celery does, and collects what is to be published. The same calls in the same order
 * with the same seed give the same ids, so that work that is planned again after a crash is the same work.
 */
export class Canvas {
  readonly messages: OutgoingMessage[] = []
  readonly chords: ChordStart[] = []
  /** The results of what was called, in the order of the calls: the children of the task that they follow. */
  readonly children: ResultNode[] = []
  private made = 0

  constructor(
    private readonly seed: string,
    private readonly context: CallContext,
  ) {}

  /** Calls a signature. `args` go before its own, unless it is immutable. @throws {UnusableSignature} */
  call(sig: Sig, args: readonly unknown[], options: SigOptions = {}): void {
    this.apply(sig, args, options, true)
  }

  private readonly newId: NewId = () => {
    this.made += 1
    const hash = createHash('sha256').update(`${this.seed} ${this.made}`).digest('hex')
    // Version 8 of UUIDs: made in one's own way.
    return [
      hash.slice(0, 8),
      hash.slice(8, 12),
      `8${hash.slice(13, 16)}`,
      `a${hash.slice(17, 20)}`,
      hash.slice(20, 32),
    ].join('-')
  }

  private apply(sig: Sig, args: readonly unknown[], options: SigOptions, isChild: boolean): ResultNode {
    if (isGroup(sig)) return this.applyGroup(sig, args, options, isChild)
    if (isChain(sig)) return this.applyChain(sig, args, options, isChild)
    return isChord(sig) ? this.applyChord(sig, args, options, isChild) : this.applyTask(sig, args, options, isChild)
  }

  private applyTask(sig: Sig, args: readonly unknown[], given: SigOptions, isChild: boolean): ResultNode {
    const options = mergeOptions(sig.options, given)
    const id = textOption(options['task_id']) ?? this.newId()
    const { task, kwargs } = sig
    const callArgs = sig.immutable ? sig.args : [...args, ...sig.args]
    const call = { id, task, args: callArgs, kwargs, options }
    this.messages.push(toMessage(call, this.context))
    return this.adopt(taskResult(id), isChild)
  }

  private adopt(result: ResultNode, isChild: boolean): ResultNode {
    if (isChild) this.children.push(result)
    return result
  }

  /** Options of the group replace those of its tasks, but for its id: it becomes the id of the group of each task. */
  private applyGroup(sig: GroupSig, args: readonly unknown[], given: SigOptions, isChild: boolean): ResultNode {
    if (sig.kwargs.tasks.length === 0) return freezeGroup(sig, {}, this.newId)
    const { task_id: id, group_index: _index, chord, ...options } = mergeOptions(sig.options, given)
    const groupId = textOption(id) ?? this.newId()
    const rootId = textOption(options['root_id'])
    const members = this.membersOf(sig.kwargs.tasks, groupId, rootId)
    for (const { task } of members) {
      this.apply(task, args, { ...options, group_id: groupId, chord: chord ?? task.options['chord'] }, false)
    }
    const children = members.map(({ result }) => result)
    const [only] = children
    const isOneGroup = children.length === 1 && only?.children
    return this.adopt(isOneGroup && only ? only : { id: groupId, parent: null, children }, isChild)
  }

  private membersOf(
    tasks: readonly Sig[],
    groupId: string,
    rootId: string | undefined,
  ): { readonly task: Sig; readonly result: ResultNode }[] {
    return tasks.flatMap((one, groupIndex) => {
      if (isGroup(one)) return this.membersOf(one.kwargs.tasks, groupId, rootId)
      if (isChain(one) && one.kwargs.tasks.length === 0) return []
      const task = cloneSig(one)
      return [{ task, result: freeze(task, { groupId, rootId, groupIndex }, this.newId) }]
    })
  }

  /** Sends the first step, with the others in the message. */
  private applyChain(sig: GroupSig, args: readonly unknown[], given: SigOptions, isChild: boolean): ResultNode {
    const {
      group_id,
      chord,
      task_id,
      link: links,
      link_error,
      root_id,
      parent_id: _,
      group_index,
      chain,
      ...options
    } = {
      ...sig.options,
      ...given,
    }
    const how = {
      args: sig.immutable ? sig.args : [...args, ...sig.args],
      copies: true,
      lastId: textOption(task_id),
      groupId: textOption(group_id),
      groupIndex: typeof group_index === 'number' ? group_index : undefined,
      chord,
      rootId: textOption(root_id),
      errbacks: listOption(link_error),
    }
    const { tasks, results } = prepareSteps(sig.kwargs.tasks, how, this.newId)
    const [last] = tasks
    const first = tasks.pop()
    const result = results[0]
    if (!last || !first || !result) throw new UnusableSignature('A chain must have a task.')
    const callbacks = listOption(links)
    if (callbacks.length > 0) last.options['link'] = [...listOption(last.options['link']), ...callbacks]
    const applied = this.apply(first, [], { ...options, chain: [...listOption(chain), ...tasks] }, isChild)
    return tasks.length === 0 ? applied : result
  }

  /** Sends the header, with the body in the message of each task. Options of the chord go to its body. */
  private applyChord(sig: ChordSig, args: readonly unknown[], given: SigOptions, isChild: boolean): ResultNode {
    const { task_id: givenId, countdown, eta, link: links, link_error, ...more } = given
    const { parent_id: _givenParent, ...bodyGiven } = more
    const { countdown: ownCountdown, eta: ownEta, task_id: ownId, ...own } = sig.options
    const called = { ...own, ...more }
    const { link: ownLinks, link_error: ownErrbacks, ...options } = called
    const { parent_id: _, ...bodyOptions } = options
    const body = cloneSig(sig.kwargs.body)
    body.options = mergeOptions(body.options, bodyGiven)
    linkBody(body, links ?? ownLinks, link_error ?? ownErrbacks)
    Object.assign(body.options, bodyOptions)
    const groupId = textOption(ownId) ?? this.newId()
    const rootId = textOption(body.options['root_id'])
    const id = textOption(givenId) ?? textOption(ownId) ?? this.newId()
    const result = freeze(body, { id, groupId, rootId }, this.newId)
    const header = groupOf(sig.kwargs.header.map(cloneSig), { task_id: groupId })
    const headerResult = freezeGroup(header, { groupId, chord: body, rootId }, this.newId)
    result.parent = headerResult
    if (header.kwargs.tasks.length === 0) {
      this.apply(body, [[]], {}, isChild)
      return result
    }
    const isNested = headerResult.children?.some(({ children }) => children)
    const size = header.kwargs.tasks.reduce((sum, task) => sum + partsOf(task), 0)
    this.chords.push({ groupId, size, ...(isNested && { results: headerResult }) })
    const { chain: _chain, chord: _chord, ...headerOptions } = options
    const delay = { countdown: countdown ?? ownCountdown, eta: eta ?? ownEta }
    this.apply(
      header,
      sig.immutable ? sig.args : [...args, ...sig.args],
      { ...headerOptions, ...delay, task_id: groupId },
      isChild,
    )
    return result
  }
}

/** Links what follows a chord to its body. */
const linkBody = (body: Sig, links: unknown, errbacks: unknown): void => {
  for (const callback of listOption(links)) link(body, callback)
  for (const errback of listOption(errbacks)) {
    if (isGroup(body)) linkErrorToBody(body, errback, true)
    else appendOption(body, 'link_error', errback)
  }
}

/** A group that has errbacks of its own gets one more: when it runs they replace those of its tasks. */
const linkErrorToBody = (sig: Sig, errback: unknown, runsAsGroup: boolean): void => {
  if (isChord(sig)) linkErrorToBody(sig.kwargs.body, errback, true)
  else if (!isGroup(sig)) linkError(sig, errback)
  else if (runsAsGroup && isThere(sig.options['link_error'])) appendOption(sig, 'link_error', errback)
  else for (const task of sig.kwargs.tasks) linkErrorToBody(task, errback, false)
}

const isThere = (value: unknown): boolean => value !== null && value !== undefined
