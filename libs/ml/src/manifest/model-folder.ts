import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { MemoryGuardError, type InputFault } from '#libs/platform'
import { z } from 'zod'
import { contradictions, goldenShapeFaults } from './contradictions.js'
import {
  backgroundSchema,
  goldenSchema,
  manifestSchema,
  type Background,
  type Golden,
  type Manifest,
} from './manifest.schema.js'
import { modelFilePath } from './model-path.js'

/** A model folder whose manifest, digests and golden file have been checked. */
export interface ModelFolder {
  readonly path: string
  readonly manifest: Manifest
  /** For risk models. */
  readonly golden: Golden | null
  /** For risk models that name one. */
  readonly background: Background | null
}

/** `name@version` */
export const referenceOf = ({ name, version }: Pick<Manifest, 'name' | 'version'>): string => `${name}@${version}`

const invalid = (path: string, faults: readonly InputFault[]): MemoryGuardError =>
  new MemoryGuardError(
    'MODEL_INVALID',
    `The model folder ${path} is not valid:\n${faults.map((fault) => `  ${fault.pointer}: ${fault.message}`).join('\n')}`,
    { faults },
  )

/**
 * Reads and checks a JSON file of a model folder.
 * @returns null if it cannot be used. Its faults are added to `faults`, each with the file and the place in it; content
 * whose only fault is an unknown key is returned without the key.
 */
export const parseJson = async <Schema extends z.ZodType>(
  folder: string,
  file: string,
  schema: Schema,
  faults: InputFault[],
): Promise<z.infer<Schema> | null> => {
  const found = await modelFilePath(folder, file)
  if ('fault' in found) {
    faults.push({ pointer: file, message: found.fault })
    return null
  }
  let json: unknown
  try {
    json = JSON.parse(await readFile(found.path, 'utf8'))
  } catch {
    faults.push({ pointer: file, message: 'is not readable JSON' })
    return null
  }
  const { known, unknown } = withoutUnknownKeys(json, schema)
  faults.push(...unknown.map((place) => ({ pointer: `${file}#/${place}`, message: 'is not a known key' })))
  const parsed = schema.safeParse(known)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) {
    faults.push({ pointer: `${file}#/${issue.path.map(String).join('/')}`, message: issue.message })
  }
  return null
}

/** The content without unknown keys, and their places: such a key must not hide other faults. */
const withoutUnknownKeys = (json: unknown, schema: z.ZodType) => {
  const known = structuredClone(json)
  const unknown: string[] = []
  for (const issue of schema.safeParse(known).error?.issues ?? []) {
    if (issue.code !== 'unrecognized_keys') continue
    let holder: unknown = known
    for (const step of issue.path) holder = Reflect.get(Object(holder), step)
    for (const key of issue.keys) {
      Reflect.deleteProperty(Object(holder), key)
      unknown.push([...issue.path, key].map(String).join('/'))
    }
  }
  return { known, unknown }
}

const readBackground = async (path: string, manifest: Manifest, faults: InputFault[]): Promise<Background | null> => {
  const file = manifest.kind === 'risk' ? manifest.explanation.background : undefined
  if (file === undefined) return null
  const background = await parseJson(path, file, backgroundSchema, faults)
  const width = manifest.inputs.length
  const wrong = background?.rows.findIndex((row) => row.length !== width) ?? -1
  if (wrong >= 0)
    faults.push({ pointer: `${file}#/rows/${wrong}`, message: `must hold ${width} values, one per input` })
  return background
}

/** A model folder with every fault that can be found without running the graph. */
export interface InspectedFolder {
  readonly path: string
  /** Null if it cannot be read. */
  readonly manifest: Manifest | null
  readonly golden: Golden | null
  readonly background: Background | null
  /** By file and pointer. */
  readonly faults: readonly InputFault[]
}

/** Reads and checks a model folder without loading the graph. */
export const inspectModelFolder = async (path: string): Promise<InspectedFolder> => {
  const faults: InputFault[] = []
  const manifest = await parseJson(path, 'manifest.json', manifestSchema, faults)
  if (manifest) faults.push(...contradictions(manifest), ...(await digestFaults(path, manifest)))
  const golden = manifest?.kind === 'forecast' ? null : await parseJson(path, 'golden.json', goldenSchema, faults)
  if (manifest?.kind === 'risk' && golden) faults.push(...goldenShapeFaults(manifest, golden))
  const background = manifest ? await readBackground(path, manifest, faults) : null
  // Several checks may find the same file missing.
  const distinct = faults.filter(
    ({ pointer, message }, index) =>
      faults.findIndex((other) => other.pointer === pointer && other.message === message) === index,
  )
  return { path, manifest, golden, background, faults: distinct }
}

/**
 * Reads and checks a model folder without loading the graph.
 * @throws {MemoryGuardError} MODEL_INVALID with every fault found, by file and pointer.
 */
export const readModelFolder = async (path: string): Promise<ModelFolder> => {
  const { manifest, golden, background, faults } = await inspectModelFolder(path)
  if (!manifest || faults.length > 0) throw invalid(path, faults)
  return { path, manifest, golden, background }
}

const digestFaults = async (path: string, { files }: Manifest): Promise<readonly InputFault[]> => {
  const faults: InputFault[] = []
  for (const [file, expected] of Object.entries(files)) {
    const found = await modelFilePath(path, file)
    if ('fault' in found) {
      faults.push({ pointer: file, message: found.fault })
      continue
    }
    try {
      if ((await digestOf(found.path)) !== expected) {
        faults.push({ pointer: file, message: 'its sha256 differs from the manifest' })
      }
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      faults.push({ pointer: file, message: `cannot be read (${reason})` })
    }
  }
  return faults
}

/** sha256 of a file, in lower-case hexadecimal as a manifest holds it. */
export const digestOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
