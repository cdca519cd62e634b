import { hostname } from 'node:os'
import { listOf } from '../claim/celery-queues.js'
import type { CeleryConnections } from '../connection.js'
import type { CallRequest } from '../wire/message.js'
import { Canvas } from './canvas/canvas.js'
import { groupOf, isGroup, readSig, type Sig } from './canvas/sig.js'
import type { ChordParts } from './chord-parts.js'
import { publishOnce } from './results.lua.js'
import { toTuple, type ResultTuple } from './result-node.js'

/** How long it is noted that something was published. Work that a crash has cut off is repeated much earlier. */
const guardSeconds = 7 * 86_400
const origin = `gen${process.pid}@${hostname()}`

/** A task that others follow. */
export interface Predecessor {
  readonly id: string
  readonly rootId: string | null
}

/** Publishes what follows from a task, each thing once, however often that is asked for. */
export class FollowUps {
  constructor(
    private readonly connections: CeleryConnections,
    private readonly chords: ChordParts,
    private readonly queueOf: (task: string) => string,
  ) {}

  /** Callbacks, and the next step of a chain. Returns their results. @throws {UnusableSignature} */
  async publishNext(request: CallRequest, result: unknown): Promise<readonly ResultTuple[]> {
    const { callbacks, chain } = request
    const next = chain.at(-1)
    if (callbacks.length === 0 && next === undefined) return []
    const canvas = this.canvasOf(request, 'next')
    const links = { parent_id: request.id, root_id: request.rootId ?? request.id }
    const sigs = callbacks.map(readSig)
    const [only] = sigs
    if (sigs.length === 1 && only) canvas.call(only, [result], links)
    else {
      // Groups have results of their own; all other callbacks together are one group.
      for (const group of sigs.filter(isGroup)) canvas.call(group, [result], links)
      const others = sigs.filter((sig) => !isGroup(sig))
      if (others.length > 0) canvas.call(groupOf(others), [result], links)
    }
    if (next) canvas.call(readSig(next), [result], { ...links, chain: chain.slice(0, -1) })
    await this.publish(request.id, 'next', canvas)
    return canvas.children.map(toTuple)
  }

  /**
   * Errbacks are sent the id of the failed task: they are tasks of other workers. `step` names them within `caller`.
   * Returns their results.
   */
  async publishErrbacks(
    caller: Predecessor,
    step: string,
    failed: Predecessor,
    errbacks: readonly unknown[],
  ): Promise<readonly ResultTuple[]> {
    if (errbacks.length === 0) return []
    const canvas = this.canvasOf(caller, step)
    const links = { parent_id: failed.id, root_id: failed.rootId ?? failed.id }
    canvas.call(groupOf(errbacks.map(readSig)), [failed.id], links)
    await this.publish(caller.id, step, canvas)
    return canvas.children.map(toTuple)
  }

  /** The body of a chord, from the task that completed it. @throws {UnusableSignature} */
  async publishBody(caller: Predecessor, step: string, body: Sig, results: readonly unknown[]): Promise<void> {
    const canvas = this.canvasOf(caller, step)
    canvas.call(body, [results])
    await this.publish(caller.id, step, canvas)
  }

  private canvasOf({ id, rootId }: Predecessor, step: string): Canvas {
    const { queueOf } = this
    return new Canvas(`${id} ${step}`, { rootId: rootId ?? id, parentId: id, origin, now: new Date(), queueOf })
  }

  /**
   * Chords are prepared before their headers are sent: again after a crash in between, but not once the header is sent,
   * whose parts may be counted already.
   */
  private async publish(caller: string, step: string, { messages, chords }: Canvas): Promise<void> {
    if (messages.length === 0) return
    const { broker } = this.connections
    const guard = this.connections.key(`memoryguard.followed.${caller}.${step}`)
    if (chords.length > 0) {
      if (await broker.exists(guard)) return
      await this.chords.start(chords)
    }
    const lists = messages.map(({ queue, priority }) => this.connections.key(listOf(queue, priority)))
    const texts = messages.map(({ text }) => text)
    await broker.eval(publishOnce, 1 + lists.length, guard, ...lists, guardSeconds, ...texts)
  }
}
