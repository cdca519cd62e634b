import { MemoryGuardError, type InputFault } from '#libs/platform'

/** Rows of a model's inputs, as a person who adds a model gives them. */
export interface SampleRows {
  /** Names of the inputs, in the order of the graph's columns. */
  readonly features: readonly string[]
  /** `null`: missing. */
  readonly rows: readonly (readonly (number | null)[])[]
  /** What the training library computed for each row, if the file has it. */
  readonly expected: readonly number[] | null
}

/** Column of a sample file that holds what the training library computed. */
const expectedColumn = 'expected'
/** An empty field, and what pandas and R write for a missing value. */
const missing: ReadonlySet<string> = new Set(['', 'na', 'nan', 'null', 'none'])
const featureName = /^[a-z][a-z0-9_]{0,62}$/

/**
 * Reads a CSV file: a header with the inputs in the graph's order, optionally a last column `expected`, then numbers;
 * an empty field is a missing input.
 * @throws {MemoryGuardError} MODEL_INVALID with every faulty line, and never a value.
 */
export const parseSampleRows = (text: string): SampleRows => {
  const [header = '', ...lines] = text
    .replace(/^\ufeff/, '')
    .trim()
    .split(/\r?\n/)
  const names = header.split(',').map((name) => name.trim())
  const hasExpected = names.at(-1) === expectedColumn
  const features = hasExpected ? names.slice(0, -1) : names
  const faults: InputFault[] = features.flatMap((name) =>
    featureName.test(name)
      ? []
      : [{ pointer: 'line 1', message: `"${name}" must be lower-case letters, digits and underscores` }],
  )
  if (lines.length === 0) faults.push({ pointer: 'line 2', message: 'there must be at least one row' })
  const parsed = lines.map((line, index) => {
    const fields = line.split(',').map((field) => (missing.has(field.trim().toLowerCase()) ? null : Number(field)))
    if (fields.length !== names.length) {
      faults.push({ pointer: `line ${index + 2}`, message: `must have ${names.length} fields` })
    }
    if (fields.some((field) => field !== null && !Number.isFinite(field))) {
      faults.push({ pointer: `line ${index + 2}`, message: 'must hold numbers only' })
    }
    if (hasExpected && fields.at(-1) === null) {
      faults.push({ pointer: `line ${index + 2}`, message: `must have a value of ${expectedColumn}` })
    }
    return fields
  })
  if (faults.length > 0) {
    const list = faults.slice(0, 20).map(({ pointer, message }) => `  ${pointer}: ${message}`)
    throw new MemoryGuardError('MODEL_INVALID', `The rows cannot be read:\n${list.join('\n')}`, { faults })
  }
  return {
    features,
    rows: parsed.map((fields) => fields.slice(0, features.length)),
    expected: hasExpected ? parsed.map((fields) => fields.at(-1) ?? NaN) : null,
  }
}
