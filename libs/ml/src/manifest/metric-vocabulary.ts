import { knownMetrics, type MetricRange } from './known-metrics.js'
import type { ModelInput } from './manifest.schema.js'

/**
 * Every metric that a model or the list of known metrics names. Models differ in what they accept of one metric (an age
 * of 39 to 64 here, of 60 to 110 there): the range is that of the instrument where it is known, else the widest of the
 * models.
 */
export const vocabularyOf = (inputs: readonly ModelInput[]): ReadonlyMap<string, MetricRange> => {
  const byName = new Map<string, ModelInput[]>()
  for (const input of inputs) byName.set(input.name, [...(byName.get(input.name) ?? []), input])
  const names = new Set([...Object.keys(knownMetrics), ...byName.keys()])
  return new Map(
    [...names].sort().map((name) => {
      const uses = byName.get(name) ?? []
      const known = knownMetrics[name]
      const range: MetricRange = {
        unit: known?.unit ?? uses[0]?.unit ?? '',
        min: known?.min ?? Math.min(...uses.map(({ min }) => min)),
        max: known?.max ?? Math.max(...uses.map(({ max }) => max)),
        integer: uses.length > 0 && uses.every(({ integer }) => integer),
        words: known?.words ?? uses.find(({ words }) => words)?.words,
        unit_hints: [...(known?.unit_hints ?? []), ...uses.flatMap(({ unit_hints }) => unit_hints)],
      }
      return [name, range]
    }),
  )
}
