import type { Schemas } from '../../api/client.ts'
import { formatNumber } from '../../format/numbers.ts'
import type { Sample } from './parse-sample.ts'

type Input = Schemas['ModelInput']

/** What becomes of a column: the person, an input of the model, a metric of another model, row names, or nothing known. */
export type ColumnUse = 'person' | 'input' | 'not used' | 'row names' | 'unknown' | 'twice'

/** A column of the file, against the model. */
export interface CheckedColumn {
  readonly name: string
  readonly use: ColumnUse
  readonly input?: Input
  /** Of the rows of the preview: how many have a value, and how many have an invalid one. */
  readonly filled: number
  readonly misfits: number
}

/** What a file would meet, as far as its first rows tell. */
export interface Check {
  readonly columns: readonly CheckedColumn[]
  /** Why the file as a whole would be refused. */
  readonly faults: readonly string[]
  /** What should be looked at before it is sent. */
  readonly warnings: readonly string[]
  /** What is wrong with a cell, by row and column of the sample. */
  readonly cells: ReadonlyMap<string, string>
}

const usualMissing = new Set([
  ...['na', '#na', 'n/a', '#n/a', '<na>', 'nan', '-nan', 'null', '#null!', 'nil', 'none', '\\n'],
  ...['.', '?', '-', '--'],
])

const sameWords = [
  ['female', 'f', 'woman', 'women'],
  ['male', 'm', 'man', 'men'],
  ['yes', 'y', 'true'],
  ['no', 'n', 'false'],
]

/** What the API takes for a missing value: `usual`, `empty`, or a list with commas. */
export const isMissing = (cell: string, wish: string): boolean => {
  if (cell === '') return true
  if (wish === 'empty') return false
  const lower = cell.toLowerCase()
  return wish === 'usual'
    ? usualMissing.has(lower)
    : wish
        .toLowerCase()
        .split(',')
        .some((marker) => marker.trim() === lower)
}

const toNumber = (cell: string, hasDecimalComma: boolean): number | undefined => {
  const text = hasDecimalComma && !cell.includes('.') ? cell.replace(',', '.') : cell
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

const wordValue = (words: Input['words'], cell: string): number | undefined => {
  if (words === null) return undefined
  const lower = cell.toLowerCase()
  const same = sameWords.find((group) => group.includes(lower)) ?? [lower]
  const found = Object.entries(words).find(
    ([word]) => word.toLowerCase() === lower || same.includes(word.toLowerCase()),
  )
  return found?.[1]
}

/** What is wrong with a value of an input, and of what unit it may be; undefined if nothing. */
const faultOfCell = (cell: string, input: Input, hasDecimalComma: boolean): string | undefined => {
  const value = toNumber(cell, hasDecimalComma) ?? wordValue(input.words, cell)
  if (value === undefined) return 'is no number'
  if (value < input.min || value > input.max) {
    const hint = input.unit_hints.find(({ min, max }) => value >= min && value <= max)
    const range = `lies outside ${formatNumber(input.min)} to ${formatNumber(input.max)} ${input.unit}`
    return hint ? `${range}; is it in ${hint.unit}?` : range
  }
  return input.integer && !Number.isInteger(value) ? 'is no whole number' : undefined
}

const isPerson = (cell: string, hasDecimalComma: boolean): boolean => {
  const value = toNumber(cell, hasDecimalComma)
  return value !== undefined && Number.isSafeInteger(value) && value > 0
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')

/** Why the file would be refused as a whole. */
const faultsOf = (columns: readonly CheckedColumn[], inputs: readonly Input[], model: string): readonly string[] => {
  const named = (use: ColumnUse) => columns.filter((column) => column.use === use)
  const missing = inputs.filter(({ name, required }) => required && !columns.some(({ input }) => input?.name === name))
  return [
    ...(named('person').length === 0 ? ['There is no column "user_id", which says whom a row is about.'] : []),
    ...(named('input').length === 0
      ? [`No column is an input of ${model}. It takes ${inputs.map(({ name }) => name).join(', ')}.`]
      : []),
    ...(missing.length > 0
      ? [`${model} computes nothing without ${missing.map(({ name, title }) => `${name} (${title})`).join(', ')}.`]
      : []),
    ...(named('twice').length > 0
      ? [`Columns stand there twice: ${quoted(named('twice').map(({ name }) => name))}.`]
      : []),
  ]
}

const warningsOf = (columns: readonly CheckedColumn[], inputs: readonly Input[], model: string): readonly string[] => {
  const unknown = columns.filter(({ use }) => use === 'unknown').map(({ name }) => name)
  const unused = columns.filter(({ use }) => use === 'not used').map(({ name }) => name)
  const absent = inputs.filter(({ name, required }) => !required && !columns.some(({ input }) => input?.name === name))
  return [
    ...(unknown.length > 0
      ? [
          `No model here has an input ${quoted(unknown)}. If the service does not know such a metric, it refuses the file: correct the name, or remove the column.`,
        ]
      : []),
    ...(unused.length > 0 ? [`${model} does not use ${quoted(unused)}; the values are stored.`] : []),
    ...(absent.length > 0
      ? [`${model} computes without ${absent.map(({ name }) => name).join(', ')}, which the file does not have.`]
      : []),
  ]
}

interface CheckOptions {
  readonly sample: Sample
  readonly model: Pick<Schemas['Model'], 'name' | 'inputs'>
  /** Names of the inputs of every model. */
  readonly known: ReadonlySet<string>
  /** As the API takes it. */
  readonly missingValues: string
}

const useOf = (name: string, index: number, all: readonly string[], { model, known }: CheckOptions): ColumnUse => {
  const lower = name.toLowerCase()
  if (/^(?:unnamed: \d{1,4})?$/.test(lower)) return index === 0 ? 'row names' : 'not used'
  if (all.findIndex((other) => other.toLowerCase() === lower) !== index) return 'twice'
  if (lower === 'user_id') return 'person'
  if (model.inputs.some((input) => input.name === lower)) return 'input'
  return known.has(lower) ? 'not used' : 'unknown'
}

/** Checks the columns and the first rows of a file against a model, as the service would. */
export const checkSample = (options: CheckOptions): Check => {
  const { sample, model, missingValues } = options
  const cells = new Map<string, string>()
  const columns = sample.columns.map((name, index): CheckedColumn => {
    const use = useOf(name, index, sample.columns, options)
    const input = use === 'input' ? model.inputs.find((each) => each.name === name.toLowerCase()) : undefined
    let filled = 0
    let misfits = 0
    sample.rows.forEach((row, at) => {
      const cell = row.cells[index] ?? ''
      const isAbsent = isMissing(cell, missingValues)
      if (!isAbsent) filled += 1
      const fault =
        use === 'person'
          ? isPerson(cell, sample.hasDecimalComma)
            ? undefined
            : 'is no number of a person'
          : input && isAbsent
            ? input.required
              ? 'is needed'
              : undefined
            : input && faultOfCell(cell, input, sample.hasDecimalComma)
      if (fault === undefined) return
      misfits += 1
      cells.set(`${at} ${index}`, fault)
    })
    return { name, use, ...(input && { input }), filled, misfits }
  })
  const faults = sample.fault === undefined ? [] : [sample.fault]
  return {
    columns,
    faults: [...faults, ...faultsOf(columns, model.inputs, model.name)],
    warnings: warningsOf(columns, model.inputs, model.name),
    cells,
  }
}
