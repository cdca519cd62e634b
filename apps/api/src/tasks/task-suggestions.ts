import { SearchValueRepository } from '#libs/database'
import { ModelCatalogue, referenceOf } from '#libs/ml/manifest'
import { errorCodes, queueNames } from '#libs/platform'
import { catalogue, taskStates } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { lastWordOf, parseSearch, searchKeys, type SearchKey } from './search-language.js'
import type { TaskConditions } from './task-filter.schemas.js'
import type { SuggestionResponse } from './task-search.schemas.js'

type Suggestion = SuggestionResponse['items'][number]

/** Values that are suggested at most. */
const maxValues = 20

/** Times ago that are worth a suggestion. */
const agos = ['15m', '1h', '6h', '24h', '7d', '30d']

/** Codes that tasks may have, whether one has it or not. */
const taskErrors = errorCodes.filter((code) => /^(TASK|MODEL|BATCH)_/.test(code))

/** Completes what callers write of the search language. */
@Injectable()
export class TaskSuggestions {
  constructor(
    private readonly values: SearchValueRepository,
    private readonly models: ModelCatalogue,
  ) {}

  /** What a search text says, and how its last word may go on. */
  async complete(text: string, principal: Principal): Promise<SuggestionResponse> {
    const { conditions, unknown } = parseSearch(text)
    return {
      filter: Object.fromEntries(Object.entries(conditions).map(([name, value]) => [name, textOf(value)])),
      unknown: [...unknown],
      items: [...(await this.completeWord(lastWordOf(text), principal))],
    }
  }

  private async completeWord(word: string, principal: Principal): Promise<readonly Suggestion[]> {
    const colon = word.indexOf(':')
    if (colon < 0) return keysAndValues(word)
    const key = searchKeys.find((each) => each.key === word.slice(0, colon).toLowerCase())
    if (!key) return []
    const written = word.slice(colon + 1).replace(/^"/, '')
    // Of several states only the last is still being written.
    const comma = key.parameter === 'state' ? written.lastIndexOf(',') + 1 : 0
    const [before, start] = [written.slice(0, comma), written.slice(comma)]
    const values = (await this.listValues(key, start, principal)).filter(
      (value) => value.startsWith(start) && !before.split(',').includes(value),
    )
    return values
      .slice(0, maxValues)
      .map((value) => ({ text: `${key.key}:${quoted(before + value)}`, about: key.about }))
  }

  private async listValues({ parameter }: SearchKey, start: string, { userId }: Principal): Promise<readonly string[]> {
    switch (parameter) {
      case 'state':
        return taskStates
      case 'queue':
        return queueNames
      case 'name':
        return Object.keys(catalogue)
      case 'since':
      case 'until':
        return agos
      case 'model':
        return this.models.models.map(({ manifest }) => referenceOf(manifest)).sort()
      case 'worker':
        return this.values.listWorkerNames(start, maxValues)
      case 'error_code':
        // To the key of a person, the tasks of others do not exist, and so their errors do not.
        return userId === null ? withKnown(await this.values.listErrorCodes()) : taskErrors
      default:
        return []
    }
  }
}

/** Errors that there are, then those that there may be. */
const withKnown = (codes: readonly string[]): readonly string[] => [...new Set([...codes, ...taskErrors])]

/** Keys that a word may become, and values that need no key to be known. */
const keysAndValues = (word: string): readonly Suggestion[] => {
  const start = word.toLowerCase()
  const known: readonly (readonly [key: string, values: readonly string[]])[] =
    start === ''
      ? []
      : [
          ['state', taskStates],
          ['queue', queueNames],
          ['name', Object.keys(catalogue)],
        ]
  return [
    ...searchKeys.filter(({ key }) => key.startsWith(start)).map(({ key, about }) => ({ text: `${key}:`, about })),
    ...known.flatMap(([key, values]) =>
      values
        .filter((value) => value.startsWith(start))
        .map((value) => ({ text: `${key}:${value}`, about: searchKeys.find((each) => each.key === key)?.about ?? '' })),
    ),
  ]
}

/** The value of a condition as that of a parameter. */
const textOf = (value: TaskConditions[keyof TaskConditions]): string =>
  value instanceof Date ? value.toISOString() : String(value)

const quoted = (value: string): string => (/\s/.test(value) ? `"${value}"` : value)
