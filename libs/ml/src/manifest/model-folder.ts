import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { z } from 'zod'
import { goldenSchema, manifestSchema, type Golden, type Manifest } from './manifest.schema.js'

/** A model folder whose manifest, digests and golden file have been checked. */
export interface ModelFolder {
  readonly path: string
  readonly manifest: Manifest
  /** For risk models. */
  readonly golden: Golden | null
}

/** `name@version` */
export const referenceOf = ({ name, version }: Pick<Manifest, 'name' | 'version'>): string => `${name}@${version}`

const invalid = (path: string, faults: readonly InputFault[]): MemoryGuardError =>
  new MemoryGuardError(
    'MODEL_INVALID',
    `The model folder ${path} has ${faults.length} fault(s):\n${faults.map((fault) => `  ${fault.pointer}: ${fault.message}`).join('\n')}`,
    { faults },
  )

/**
 * Reads and checks a JSON file of a model folder.
 * @returns null if it has faults, which are added to `faults`, each with the file and the place in it.
 */
export const parseJson = async <Schema extends z.ZodType>(
  folder: string,
  file: string,
  schema: Schema,
  faults: InputFault[],
): Promise<z.infer<Schema> | null> => {
  let json: unknown
  try {
    json = JSON.parse(await readFile(join(folder, file), 'utf8'))
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    faults.push({ pointer: file, message: missing ? 'is missing' : 'is not readable JSON' })
    return null
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) {
    faults.push({ pointer: `${file}#/${issue.path.map(String).join('/')}`, message: issue.message })
  }
  return null
}

/** What a manifest says that contradicts itself. */
const contradictions = (manifest: Manifest): readonly InputFault[] => {
  const faults: InputFault[] = []
  const fault = (path: string, message: string) => faults.push({ pointer: `manifest.json#/${path}`, message })
  const names = manifest.inputs.map(({ name }) => name)
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) fault(`inputs/${index}/name`, `${name} stands twice`)
  })
  manifest.inputs.forEach(({ min, max }, index) => {
    if (min > max) fault(`inputs/${index}`, 'min is greater than max')
  })
  const needed = manifest.kind === 'risk' ? [manifest.graph.file, 'golden.json'] : [manifest.parameters, 'golden.json']
  for (const file of needed) if (!(file in manifest.files)) fault('files', `${file} has no digest`)
  if (manifest.kind === 'risk') {
    if (!manifest.outputs.some(({ name }) => name === manifest.primary_output)) {
      fault('primary_output', `is none of the outputs ${manifest.outputs.map(({ name }) => name).join(', ')}`)
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

/**
 * Reads and checks a model folder without loading the graph.
 * @throws MemoryGuardError MODEL_INVALID with every fault found, by file and pointer.
 */
export const readModelFolder = async (path: string): Promise<ModelFolder> => {
  const faults: InputFault[] = []
  const manifest = await parseJson(path, 'manifest.json', manifestSchema, faults)
  if (!manifest) throw invalid(path, faults)
  faults.push(...contradictions(manifest))
  for (const [file, expected] of Object.entries(manifest.files)) {
    try {
      const digest = createHash('sha256')
        .update(await readFile(join(path, file)))
        .digest('hex')
      if (digest !== expected) faults.push({ pointer: file, message: 'its sha256 differs from the manifest' })
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      faults.push({ pointer: file, message: `cannot be read (${reason})` })
    }
  }
  const golden = manifest.kind === 'risk' ? await parseJson(path, 'golden.json', goldenSchema, faults) : null
  if (faults.length > 0) throw invalid(path, faults)
  return { path, manifest, golden }
}

/** A model that cannot be offered, and why. */
export interface BrokenModel {
  readonly path: string
  readonly error: unknown
}

/** Reads every `<name>/<version>/manifest.json` below a folder; a broken one does not hide the others. */
export const readModelFolders = async (
  root: string,
): Promise<{ readonly models: readonly ModelFolder[]; readonly broken: readonly BrokenModel[] }> => {
  const models: ModelFolder[] = []
  const broken: BrokenModel[] = []
  const folders = async (path: string) =>
    (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name)
  for (const name of await folders(root)) {
    for (const version of await folders(join(root, name))) {
      const path = join(root, name, version)
      if (!(await readdir(path)).includes('manifest.json')) continue
      try {
        models.push(await readModelFolder(path))
      } catch (error) {
        broken.push({ path, error })
      }
    }
  }
  return { models, broken }
}
