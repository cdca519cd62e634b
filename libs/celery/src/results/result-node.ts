import { UnreadablePayload } from './payload.js'

/** A result that a caller may wait for: of one task, or of a group when it has children. */
export interface ResultNode {
  readonly id: string
  /** The result that comes before it in a chain. */
  parent: ResultNode | null
  readonly children: readonly ResultNode[] | null
}

/** The form in which Celery stores a result: `[[id, parent], children]`. */
export type ResultTuple = readonly [readonly [string, ResultTuple | null], readonly ResultTuple[] | null]

export const taskResult = (id: string): ResultNode => ({ id, parent: null, children: null })

export const toTuple = ({ id, parent, children }: ResultNode): ResultTuple => [
  [id, parent && toTuple(parent)],
  children && children.map(toTuple),
]

/** @throws {UnreadablePayload} when the value is no stored result. */
export const readTuple = (value: unknown): ResultNode => {
  const [head, nodes] = Array.isArray(value) ? (value as unknown[]) : []
  const [id, parent] = Array.isArray(head) ? (head as unknown[]) : [head, null]
  if (typeof id !== 'string') throw new UnreadablePayload('a stored result has no id')
  return {
    id,
    parent: parent === null || parent === undefined ? null : readTuple(parent),
    children: Array.isArray(nodes) ? nodes.map(readTuple) : null,
  }
}
