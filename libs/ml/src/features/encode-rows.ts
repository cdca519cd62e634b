import type { RiskManifest } from '../manifest/index.js'

/**
 * The feature matrix of a batch: one row for each person, columns in the order of the manifest's inputs. A missing
 * input is NaN, or the value that the manifest states.
 */
export const encodeRows = (
  manifest: RiskManifest,
  people: readonly Readonly<Record<string, number | null>>[],
): Float32Array => {
  const names = manifest.inputs.map(({ name }) => name)
  const { missing } = manifest
  const absent = names.map((name) => (missing.rule === 'impute' ? (missing.values[name] ?? NaN) : NaN))
  const rows = new Float32Array(people.length * names.length)
  people.forEach((person, row) => {
    names.forEach((name, column) => {
      rows[row * names.length + column] = person[name] ?? absent[column] ?? NaN
    })
  })
  return rows
}
