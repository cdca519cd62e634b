import type { Redis } from 'ioredis'
import type { CeleryConnections } from '../connection.js'
import {
  builtinError,
  celeryError,
  exceptionRepr,
  readStoredException,
  type PythonException,
} from '../wire/exception.js'
import { JsonText, stringifyPythonJson } from '../wire/python-json.js'
import type { ChordStart } from './canvas/canvas.js'
import { parsePayload, payloadText, UnreadablePayload } from './payload.js'
import { readTuple, toTuple, type ResultNode } from './result-node.js'
import { countPart, finishChord } from './results.lua.js'
import type { ResultStore } from './result-store.js'

/** A task in the header of a chord. */
export interface ChordPart {
  readonly id: string
  readonly groupId: string
  readonly groupIndex: number | null
  readonly state: string
  readonly result: unknown
}

/** What the body of a chord gets: the results of its header, or why it cannot run. */
export type HeaderResults = { readonly results: readonly unknown[] } | { readonly fault: ChordFault }

export interface ChordFault {
  readonly error: PythonException
  /** The exception of the part that failed. */
  readonly cause: PythonException
}

/** Our claim of a chord stays until its body is fired, however long that takes: no other worker has its parts. */
const claimSeconds = 7 * 86_400
/** How long it is noted that a chord is done: as long as Celery does by default. */
const doneSeconds = 300
/** States of a part with which the body fails. */
const failedStates = new Set(['FAILURE', 'REVOKED'])

/** The keys in which the workers of a chord count its parts. */
export class ChordParts {
  private readonly redis: Redis

  constructor(
    private readonly connections: CeleryConnections,
    private readonly store: ResultStore,
    private readonly expiresSeconds: number,
  ) {
    this.redis = connections.backend
  }

  /** Prepares chords of which the headers are about to be sent. */
  async start(chords: readonly ChordStart[]): Promise<void> {
    for (const { groupId, size, results } of chords) {
      // The claim of an earlier run: a chord that is called again keeps its id.
      await this.redis.del(this.keyOf(groupId, '.c'))
      await this.set(this.keyOf(groupId, '.s'), String(size))
      if (results) await this.set(this.keyOf(groupId), stringifyPythonJson({ result: toTuple(results) }))
    }
  }

  /** Counts a part. Returns what the body gets if the chord is complete and it is up to `token` to fire it. */
  async count(part: ChordPart, token: string): Promise<HeaderResults | undefined> {
    const { id, groupId, groupIndex, state, result } = part
    const score = groupIndex === null ? '+inf' : String(groupIndex)
    const head = `[1, ${pythonText(id)}, `
    const keys = ['.j', '.t', '.s', '.d', '', '.c', '.memoryguard'].map((end) => this.keyOf(groupId, end))
    const text = `${head}"${state}", ${stringifyPythonJson(result)}]`
    const args = [`${id}:${score}`, head, text, score, this.expiresSeconds, token, claimSeconds]
    const parts = (await this.redis.callBuffer('EVAL', countPart, keys.length, ...keys, ...args)) as Buffer[] | null
    return parts ? this.readHeader(groupId, parts) : undefined
  }

  async finish(groupId: string, token: string): Promise<void> {
    const keys = ['.d', '.c', '.memoryguard'].map((end) => this.keyOf(groupId, end))
    await this.redis.eval(finishChord, keys.length, ...keys, token, doneSeconds)
  }

  private keyOf(groupId: string, end = ''): string {
    return this.connections.backendKey(`celery-taskset-meta-${groupId}${end}`)
  }

  private async set(key: string, text: string): Promise<void> {
    if (this.expiresSeconds > 0) await this.redis.set(key, text, 'EX', this.expiresSeconds)
    else await this.redis.set(key, text)
  }

  private async readHeader(groupId: string, parts: readonly Buffer[]): Promise<HeaderResults> {
    try {
      return await this.resultsOf(groupId, parts)
    } catch (error) {
      if (!(error instanceof UnreadablePayload)) throw error
      return joinFault(builtinError('ValueError', error.message))
    }
  }

  /** Results that were saved have a structure, which those of the parts are put into. */
  private async resultsOf(groupId: string, parts: readonly Buffer[]): Promise<HeaderResults> {
    const saved = await this.redis.getBuffer(this.keyOf(groupId))
    if (saved) return this.join(readTuple(parsePayload(payloadText(saved))['result']))
    const results: unknown[] = []
    for (const part of parts.map(readPart)) {
      if (failedStates.has(part.state)) return { fault: faultOf(part) }
      results.push(part.result)
    }
    return { results }
  }

  private async join(header: ResultNode): Promise<HeaderResults> {
    const ids = leavesOf(header)
    const stored = new Map((await this.store.read(ids)).map((meta, index) => [ids[index], meta]))
    for (const id of ids) {
      const meta = stored.get(id)
      const isFailed = failedStates.has(String(meta?.['status']))
      if (meta?.['status'] === 'SUCCESS') continue
      const cause = isFailed ? readStoredException(meta?.['result']) : undefined
      return joinFault(cause ?? celeryError('TimeoutError', 'The operation timed out.'))
    }
    const valueOf = (node: ResultNode): unknown =>
      node.children ? node.children.map(valueOf) : stored.get(node.id)?.['result']
    return { results: (header.children ?? []).map(valueOf) }
  }
}

const joinFault = (cause: PythonException): HeaderResults => ({
  fault: { error: celeryError('ChordError', `Join error: ${exceptionRepr(cause)}`), cause },
})

interface CountedPart {
  readonly id: string
  readonly state: string
  readonly result: unknown
}

/** Reads a part, with its result as the text in which it stands, where that can be cut out. */
const readPart = (member: Buffer): CountedPart => {
  const text = payloadText(member)
  const [, id, state, result] = parsePayload(text) as unknown as [number, string, string, unknown]
  const head = `[1, ${pythonText(id)}, "${state}", `
  const isPlain = state === 'SUCCESS' && text.startsWith(head)
  return { id, state, result: isPlain ? new JsonText(text.slice(head.length, -1)) : result }
}

const faultOf = ({ id, result }: CountedPart): ChordFault => {
  const cause = readStoredException(result)
  const error = celeryError('ChordError', `Dependency ${id} raised ${cause ? exceptionRepr(cause) : 'None'}`)
  return { error, cause: cause ?? error }
}

const leavesOf = (node: ResultNode): readonly string[] => (node.children ? node.children.flatMap(leavesOf) : [node.id])

/** A text as Python writes it in JSON: with nothing but ASCII. */
const pythonText = (text: string): string =>
  JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (character) => String.raw`\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
