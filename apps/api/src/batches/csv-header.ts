import type { ModelCatalogue, RiskManifest } from '#libs/ml/manifest'
import { MemoryGuardError, type InputFault } from '#libs/platform'

/** Most columns of a CSV file, many times what is known. */
const maxColumns = 200
const maxNameLength = 64

/** A column of a CSV file: the person, a metric, row names that are passed over, or nothing but empty cells. */
export type CsvColumn =
  | { readonly kind: 'user_id' }
  | { readonly kind: 'metric'; readonly name: string; readonly words: Readonly<Record<string, number>> | undefined }
  | { readonly kind: 'row names' }
  | { readonly kind: 'unnamed' }

/** What pandas calls a column without a name. */
const unnamed = /^(?:Unnamed: \d{1,4})?$/
/** What may be the name of a column: anything else may be a value that slipped into the header, and is not repeated. */
const nameLike = /^[A-Za-z_][\w .:/-]{0,63}$/

/**
 * The columns that a header names, capitals apart. A first column without a name holds the row names of R or pandas.
 * @throws MemoryGuardError REQUEST_INVALID with every fault, each with the number of its column from 1.
 */
export const readHeader = (
  fields: readonly string[],
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
): readonly CsvColumn[] => {
  if (fields.length > maxColumns) {
    throw new MemoryGuardError('REQUEST_INVALID', `A CSV file may have at most ${maxColumns} columns.`)
  }
  const names = fields.map((field) => nameOf(field.trim(), catalogue))
  const faults = headerFaults(names, manifest, catalogue)
  if (faults.length > 0) {
    throw new MemoryGuardError(
      'REQUEST_INVALID',
      'The header of the CSV file cannot be used; see `errors`, with columns counted from 1. Nothing was kept.',
      { faults },
    )
  }
  return names.map((name, index): CsvColumn => {
    if (unnamed.test(name)) return { kind: index === 0 ? 'row names' : 'unnamed' }
    if (name === 'user_id') return { kind: 'user_id' }
    const words = manifest.inputs.find((input) => input.name === name)?.words ?? catalogue.findMetric(name)?.words
    return { kind: 'metric', name, words }
  })
}

/** The name as the catalogue has it. */
const nameOf = (field: string, catalogue: ModelCatalogue): string => {
  const lower = field.length <= maxNameLength ? field.toLowerCase() : field
  return lower === 'user_id' || catalogue.findMetric(lower) ? lower : field
}

const headerFaults = (
  names: readonly string[],
  manifest: RiskManifest,
  catalogue: ModelCatalogue,
): readonly InputFault[] => {
  const inputs = manifest.inputs.map(({ name }) => name)
  const faults: InputFault[] = []
  if (!names.some((name) => nameLike.test(name))) {
    faults.push({ pointer: '/', message: 'the first line must name the columns: user_id and metrics' })
  }
  const known = catalogue.metricNames.join(', ')
  const seen = new Set<string>()
  names.forEach((name, index) => {
    if (unnamed.test(name)) return
    const pointer = `/${index + 1}`
    const column = nameLike.test(name) ? `the column "${name}"` : 'the column'
    if (seen.has(name)) faults.push({ pointer, message: `${column} stands here twice` })
    else if (name !== 'user_id' && !catalogue.findMetric(name)) {
      faults.push({ pointer, message: `${column} is no known metric. Known are user_id, ${known}` })
    }
    seen.add(name)
  })
  if (!names.includes('user_id')) faults.push({ pointer: '/', message: 'a column user_id is needed' })
  if (!names.some((name) => inputs.includes(name))) {
    faults.push({ pointer: '/', message: `a column is needed that ${manifest.name} uses: ${inputs.join(', ')}` })
  }
  for (const { name, required } of manifest.inputs) {
    if (required && !names.includes(name)) faults.push({ pointer: '/', message: `a column ${name} is needed` })
  }
  return faults
}
