import type { InputFault } from '#libs/platform'
import type { Golden, Manifest, RiskManifest } from './manifest.schema.js'

/** Where a manifest contradicts itself. */
export const contradictions = (manifest: Manifest): readonly InputFault[] => {
  const faults: InputFault[] = []
  const fault = (path: string, message: string) => faults.push({ pointer: `manifest.json#/${path}`, message })
  const names = manifest.inputs.map(({ name }) => name)
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) fault(`inputs/${index}/name`, `${name} stands twice`)
  })
  manifest.inputs.forEach(({ min, max }, index) => {
    if (min > max) fault(`inputs/${index}`, 'min is greater than max')
  })
  for (const name of Object.keys(manifest.evidence?.importance?.values ?? {})) {
    if (!names.includes(name)) fault(`evidence/importance/values/${name}`, 'is no input')
  }
  const outputs = manifest.kind === 'risk' ? manifest.outputs.map(({ name }) => name) : []
  manifest.evidence?.calibration.forEach(({ output }, index) => {
    if (output === undefined || outputs.includes(output)) return
    fault(`evidence/calibration/${index}/output`, `is none of the outputs ${outputs.join(', ')}`)
  })
  const needed =
    manifest.kind === 'risk'
      ? [manifest.graph.file, 'golden.json', manifest.explanation.background ?? []].flat()
      : [manifest.parameters, 'golden.json']
  for (const file of needed) if (!(file in manifest.files)) fault('files', `${file} has no digest`)
  if (manifest.kind === 'risk') {
    if (!outputs.includes(manifest.primary_output)) {
      fault('primary_output', `is none of the outputs ${outputs.join(', ')}`)
    }
    const bounds = manifest.categories.map(({ below }) => below)
    const rising = bounds.every((bound, index) =>
      index === bounds.length - 1 ? bound === undefined : bound !== undefined && bound > (bounds[index - 1] ?? 0),
    )
    if (!rising) fault('categories', 'must rise by `below`, and only the last has none')
    if (manifest.missing.rule === 'impute') {
      for (const { name, required } of manifest.inputs) {
        if (!required && !(name in manifest.missing.values)) fault('missing/values', `${name} has no value`)
      }
    }
  }
  return faults
}

/** Inputs and outputs that a golden file has and the manifest does not, and outputs that a case leaves out. */
export const goldenShapeFaults = (manifest: RiskManifest, golden: Golden): readonly InputFault[] => {
  const inputs = new Set(manifest.inputs.map(({ name }) => name))
  const outputs = new Map(manifest.outputs.map((output) => [output.name, output]))
  return golden.cases.flatMap((each, index) => {
    const at = `golden.json#/cases/${index}`
    const unknownInputs = Object.keys(each.inputs).filter((name) => !inputs.has(name))
    const unknownOutputs = Object.entries(each.outputs).flatMap(([name, numbers]) => {
      const output = outputs.get(name)
      if (!output) return [name]
      return (['lower', 'upper'] as const)
        .filter((part) => part in numbers && !output[part])
        .map((part) => `${name}/${part}`)
    })
    const absent = [...outputs.keys()].filter((name) => !(name in each.outputs))
    return [
      ...unknownInputs.map((name) => ({ pointer: `${at}/inputs/${name}`, message: 'is no input of the manifest' })),
      ...unknownOutputs.map((name) => ({ pointer: `${at}/outputs/${name}`, message: 'is no output of the manifest' })),
      ...absent.map((name) => ({ pointer: `${at}/outputs`, message: `has no value for ${name}` })),
    ]
  })
}
