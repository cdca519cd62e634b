import type { CeleryConnections } from '../connection.js'
import {
  builtinError,
  celeryError,
  storedException,
  type PythonException,
  type StoredException,
} from '../wire/exception.js'
import type { CallRequest } from '../wire/message.js'
import {
  isChain,
  isChord,
  isGroup,
  listOption,
  readSig,
  textOption,
  UnusableSignature,
  type Sig,
} from './canvas/sig.js'
import { ChordParts, type ChordFault, type ChordPart } from './chord-parts.js'
import { FollowUps } from './follow-ups.js'
import type { ResultTuple } from './result-node.js'
import { ResultStore, type TaskResult } from './result-store.js'

/** How a call has ended. */
export interface EndedCall {
  readonly request: CallRequest
  readonly outcome:
    | { readonly state: 'SUCCESS'; readonly result: unknown }
    | { readonly state: 'FAILURE'; readonly exception: PythonException; readonly traceback: string | null }
    | { readonly state: 'REVOKED'; readonly exception: PythonException }
}

export interface CeleryResultsOptions {
  /** Seconds until results expire; 0: never. */
  readonly expiresSeconds: number
  /** The queue of a task that a signature sends to no queue; by default `celery`. */
  readonly queueOf?: (task: string) => string
}

/** What is stored of tasks that fail because of another one. */
interface Failure {
  readonly result: StoredException
  readonly traceback: string | null
  readonly isStored: boolean
  /** For the body of a chord: Celery stores neither its group nor its parent, but its errbacks as children. */
  readonly asBody?: { readonly children: readonly ResultTuple[] }
}

/** A call of which the callbacks and the next step are published. */
interface FollowedCall extends EndedCall {
  readonly children: readonly ResultTuple[]
}

/** Stores results as Celery's workers do, and publishes what follows from them. */
export class CeleryResults {
  private readonly store: ResultStore
  private readonly chords: ChordParts
  private readonly followUps: FollowUps

  constructor(connections: CeleryConnections, { expiresSeconds, queueOf = () => 'celery' }: CeleryResultsOptions) {
    this.store = new ResultStore(connections, expiresSeconds)
    this.chords = new ChordParts(connections, this.store, expiresSeconds)
    this.followUps = new FollowUps(connections, this.chords, queueOf)
  }

  /** Stores a state that is not the last one, never over one that is. @throws when the result backend cannot be reached. */
  async storeState(request: CallRequest, state: 'STARTED' | 'RETRY', meta: unknown): Promise<void> {
    if (request.ignoreResult) return
    const [error] = await this.store.store([
      { ...ownerOf(request), state, result: meta, traceback: null, children: [] },
    ])
    if (error) throw error
  }

  /**
   * Stores results and publishes what follows from them: callbacks, chains, bodies of chords, errbacks. It may be repeated
   * after a crash: nothing is published twice. Returns the error of each call that is to be finished again; it is an
   * `UnusableSignature` when that would not help: an errback, a chain or the body of a chord is no signature.
   */
  async finish(calls: readonly EndedCall[]): Promise<readonly (Error | undefined)[]> {
    const errors: (Error | undefined)[] = calls.map(() => undefined)
    const attempt = async <Value>(at: number, step: () => Promise<Value>): Promise<Value | undefined> => {
      try {
        return await step()
      } catch (error) {
        errors[at] = error instanceof Error ? error : new Error(String(error))
        return undefined
      }
    }
    // A worker publishes what follows before it stores the result, which names it as its children.
    const followed = await Promise.all(calls.map((call, at) => attempt(at, () => this.publishNext(call))))
    const stored = followed.flatMap((call, at) => (call && !call.request.ignoreResult ? [{ call, at }] : []))
    const failures = await this.store.store(stored.map(({ call }) => resultOf(call)))
    for (const [index, { at }] of stored.entries()) if (failures[index]) errors[at] = failures[index]
    await Promise.all(
      followed.map(async (call, at) => {
        if (call && !errors[at]) await attempt(at, () => this.propagate(call))
      }),
    )
    return errors
  }

  /** A task of which the callbacks cannot be called has failed, as with Celery. */
  private async publishNext(call: EndedCall): Promise<FollowedCall> {
    if (call.outcome.state !== 'SUCCESS') return { ...call, children: [] }
    try {
      return { ...call, children: await this.followUps.publishNext(call.request, call.outcome.result) }
    } catch (error) {
      if (!(error instanceof UnusableSignature)) throw error
      const exception = builtinError('TypeError', error.message)
      return { ...call, outcome: { state: 'FAILURE', exception, traceback: null }, children: [] }
    }
  }

  /** Tells those who wait for the call: the chord it is in, and, if it has failed, what would have followed. */
  private async propagate({ request, outcome }: EndedCall): Promise<void> {
    const { id, group, groupIndex, chord } = request
    const result = outcome.state === 'SUCCESS' ? outcome.result : storedException(outcome.exception)
    if (chord && group !== null) {
      await this.countPart(request, { id, groupId: group, groupIndex, state: outcome.state, result }, chord)
    }
    if (outcome.state !== 'FAILURE') return
    const { exception, traceback } = outcome
    const failure = { result: storedException(exception), traceback, isStored: !request.ignoreResult }
    await this.failSteps(request, request.chain.map(readSig), failure)
    await this.followUps.publishErrbacks(request, 'errors', request, request.errbacks)
  }

  /** Counts a part of a chord; `caller` is the call of ours with which that happens. */
  private async countPart(caller: CallRequest, part: ChordPart, body: unknown): Promise<void> {
    const token = `memoryguard:${caller.id}`
    const header = await this.chords.count(part, token)
    if (!header) return
    const step = `chord.${part.groupId}`
    const sig = readSig(body)
    if ('fault' in header) await this.failBody(caller, step, sig, header.fault)
    else await this.fireBody(caller, step, sig, header.results)
    await this.chords.finish(part.groupId, token)
  }

  private async fireBody(caller: CallRequest, step: string, body: Sig, results: readonly unknown[]): Promise<void> {
    try {
      await this.followUps.publishBody(caller, step, body, results)
    } catch (error) {
      if (!(error instanceof UnusableSignature)) throw error
      const fault = celeryError('ChordError', `Callback error: ${error.message}`)
      await this.failBody(caller, step, body, { error: fault, cause: fault })
    }
  }

  /** A body that cannot run fails, with its errbacks, and with it what would have followed it. */
  private async failBody(caller: CallRequest, step: string, body: Sig, { error, cause }: ChordFault): Promise<void> {
    const rest = listOption(body.options['chain']).map(readSig)
    // A group has no result: each of its tasks fails, with the error of the part that failed.
    const exception = isGroup(body) ? cause : error
    const members = isGroup(body) ? body.kwargs.tasks : [body]
    const failure = { result: storedException(exception), traceback: tracebackOf(exception), isStored: true }
    for (const [index, member] of members.entries()) {
      const id = idOf(member)
      const errbacks = [...errbacksOf(member), ...(isGroup(body) ? listOption(body.options['link_error']) : [])]
      const failed = id === undefined ? undefined : { id, rootId: null }
      const children =
        failed && (await this.followUps.publishErrbacks(caller, `${step}.errors.${index}`, failed, errbacks))
      await this.failSteps(caller, [member], { ...failure, asBody: { children: children ?? [] } })
    }
    await this.failSteps(caller, rest, { ...failure, traceback: null })
  }

  /**
   * Fails tasks that will never be called, so that nobody waits for them: those whose ids are known, the tasks of groups
   * and the bodies of chords.
   */
  private async failSteps(caller: CallRequest, steps: readonly Sig[], failure: Failure): Promise<void> {
    for (const step of steps) {
      if (isGroup(step)) await this.failSteps(caller, step.kwargs.tasks, failure)
      else await this.failStep(caller, step, failure)
      if (isChord(step)) await this.failSteps(caller, [step.kwargs.body], failure)
    }
  }

  /** Stores the failure of a task, and counts it if it is a part of a chord. */
  private async failStep(
    caller: CallRequest,
    step: Sig,
    { result, traceback, isStored, asBody }: Failure,
  ): Promise<void> {
    const id = idOf(step)
    if (id === undefined) return
    const { group_id: groupId, group_index: index, parent_id: parentId, chord } = step.options
    const group = textOption(groupId) ?? null
    if (isStored) {
      const owner = asBody ? { group: null, parentId: null } : { group, parentId: textOption(parentId) ?? null }
      const children = asBody?.children ?? []
      const [error] = await this.store.store([{ id, ...owner, state: 'FAILURE', result, traceback, children }])
      if (error) throw error
    }
    if (!chord || group === null) return
    const groupIndex = typeof index === 'number' ? index : null
    await this.countPart(caller, { id, groupId: group, groupIndex, state: 'FAILURE', result }, chord)
  }
}

/** The id under which the result of a signature is stored: that of a chain is the id of its last task. */
const idOf = (sig: Sig): string | undefined => {
  const id = textOption(sig.options['task_id'])
  const last = isChain(sig) ? sig.kwargs.tasks.at(-1) : undefined
  return id ?? (last && idOf(last))
}

/** The errbacks of a signature, and for a chord those of its body, which are called with the same error. */
const errbacksOf = (sig: Sig): readonly unknown[] => {
  const own = listOption(sig.options['link_error'])
  return isChord(sig) ? [...own, ...errbacksOf(sig.kwargs.body)] : own
}

/** Python has a traceback for every exception; this one comes from no line of Python. */
const tracebackOf = (exception: PythonException): string =>
  `Traceback (most recent call last):\n${exception.module}.${exception.type}: ${exception.args.map(String).join(', ')}\n`

const ownerOf = ({ id, group, parentId }: CallRequest) => ({ id, group, parentId })

const resultOf = ({ request, outcome, children }: FollowedCall): TaskResult => ({
  ...ownerOf(request),
  state: outcome.state,
  result: outcome.state === 'SUCCESS' ? outcome.result : storedException(outcome.exception),
  traceback: outcome.state === 'FAILURE' ? outcome.traceback : null,
  children,
})
