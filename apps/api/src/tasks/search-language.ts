import { MemoryGuardError, type InputFault } from '#libs/platform'
import { faultOfEnd } from '../http/times.js'
import { taskFilterShape, type TaskConditions } from './task-filter.schemas.js'

/** A key of the search text, and the parameter of the query that it stands for. */
export interface SearchKey {
  readonly key: string
  readonly parameter: keyof TaskConditions
  readonly about: string
}

/** Every key of the search language. */
export const searchKeys: readonly SearchKey[] = [
  { key: 'state', parameter: 'state', about: 'one state, or several separated by commas' },
  { key: 'queue', parameter: 'queue', about: 'a queue' },
  { key: 'worker', parameter: 'worker', about: 'the worker that ran it last' },
  { key: 'name', parameter: 'name', about: 'a kind of task; * stands for any characters' },
  { key: 'user', parameter: 'user_id', about: 'the number of a person' },
  { key: 'prediction', parameter: 'prediction_id', about: 'the number of a prediction' },
  { key: 'batch', parameter: 'batch_id', about: 'the id of a batch' },
  { key: 'model', parameter: 'model', about: 'a model, with or without its version' },
  { key: 'error', parameter: 'error_code', about: 'the code of an error' },
  { key: 'since', parameter: 'since', about: 'made since then: a time, or how long ago' },
  { key: 'until', parameter: 'until', about: 'made before then: a time, or how long ago' },
  { key: 'id', parameter: 'id', about: 'the id of a task, a batch or a prediction' },
]

/** A word that is no condition. */
export interface UnknownWord {
  /** 1 is the first word. */
  readonly position: number
  readonly word: string
  readonly message: string
}

/** The parts of a search text. */
export interface ParsedSearch {
  readonly conditions: TaskConditions
  readonly unknown: readonly UnknownWord[]
}

const keyNames = searchKeys.map(({ key }) => key).join(', ')

/** Parses a search text word by word into conditions, and lists the words that are none with the reason. */
export const parseSearch = (text: string): ParsedSearch => {
  const conditions: Record<string, unknown> = {}
  const unknown: UnknownWord[] = []
  for (const [index, word] of wordsOf(text).entries()) {
    const reject = (message: string) => unknown.push({ position: index + 1, word, message })
    const colon = word.indexOf(':')
    const key = colon < 0 ? 'id' : word.slice(0, colon).toLowerCase()
    const found = searchKeys.find((each) => each.key === key)
    if (!found) {
      reject(`begins with no known key; known are ${keyNames}`)
      continue
    }
    const { parameter } = found
    if (parameter in conditions) {
      reject(`is the second condition with the key ${key}`)
      continue
    }
    const { data, error } = taskFilterShape[parameter].safeParse(unquoted(word.slice(colon + 1)))
    if (error) reject(colon < 0 ? `has no key, and is no id; keys are ${keyNames}` : (error.issues[0]?.message ?? ''))
    else conditions[parameter] = data
  }
  return { conditions, unknown }
}

/** The last word of a text, which is still being written; empty after a blank. */
export const lastWordOf = (text: string): string => (/\s$/.test(text) ? '' : (wordsOf(text).at(-1) ?? ''))

/** Words between blanks; blanks between double quotes belong to a word. */
const wordsOf = (text: string): readonly string[] => text.match(/(?:"[^"]*"|[^\s"]|")+/g) ?? []

const unquoted = (value: string): string => value.replace(/^"(.*)"$/, '$1')

/**
 * The conditions of a query, given one by one and as a text.
 * @param place Pointer to them in the request.
 * @throws {MemoryGuardError} REQUEST_INVALID when a word of the text is no condition, both have the same one, or the time
 * ends before it begins.
 */
export const conditionsOf = (
  { q, ...given }: TaskConditions & { readonly q?: string | undefined },
  place = '',
): TaskConditions => {
  const { conditions, unknown } = parseSearch(q ?? '')
  const faults: InputFault[] = unknown.map(({ position, message }) => ({
    pointer: `${place}/q`,
    message: `word ${position} ${message}`,
  }))
  for (const { parameter } of searchKeys) {
    if (conditions[parameter] === undefined || given[parameter] === undefined) continue
    faults.push({ pointer: `${place}/${parameter}`, message: 'is given in q too; leave one of them out' })
  }
  const all = { ...given, ...conditions }
  const fault = faultOfEnd(all.since, all.until)
  if (fault !== undefined) faults.push({ pointer: `${place}/${given.until ? 'until' : 'q'}`, message: fault })
  if (faults.length > 0) {
    throw new MemoryGuardError('REQUEST_INVALID', 'The search is not understood; see `errors`.', { faults })
  }
  return all
}
