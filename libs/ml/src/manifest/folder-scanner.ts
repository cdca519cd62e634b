import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryGuardError } from '#libs/platform'
import { readModelFolder, referenceOf, type ModelFolder } from './model-folder.js'
import { modelNameFault } from './model-path.js'

/** A model that cannot be offered, and why. */
export interface BrokenModel {
  /** `name@version`, by its folders. */
  readonly reference: string
  readonly path: string
  readonly error: unknown
}

/** What a scan found that earlier ones had not. */
export interface Scanned {
  readonly models: readonly ModelFolder[]
  readonly broken: readonly BrokenModel[]
}

const folderNames = async (path: string): Promise<readonly string[]> =>
  (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name)

/** Where a model folder lies below its root. */
export interface FoundFolder {
  readonly name: string
  readonly version: string
  /** Names, sizes and times of its files. */
  readonly signature: string
}

/** The model folders `<name>/<version>/manifest.json` below a root. */
export const listModelFolders = async (root: string): Promise<readonly FoundFolder[]> => {
  const found: FoundFolder[] = []
  for (const name of await folderNames(root)) {
    for (const version of await folderNames(join(root, name))) {
      const signature = await signatureOf(join(root, name, version))
      if (signature !== undefined) found.push({ name, version, signature })
    }
  }
  return found
}

/**
 * Finds the model folders `<name>/<version>/manifest.json` below a root, again and again. A version that was read is
 * not read again, because versions are immutable. A broken one is read again when one of its files has changed, so that
 * a folder may be copied in or repaired while the service runs.
 */
export class FolderScanner {
  /** The signature of each folder when it was read, by path, and whether it was broken. */
  private readonly seen = new Map<string, { signature: string; isBroken: boolean }>()

  constructor(private readonly root: string) {}

  /** Marks a model that was read as broken: its folder is read again when it has changed. */
  reject({ path }: ModelFolder): void {
    const known = this.seen.get(path)
    if (known) known.isBroken = true
  }

  async scan(): Promise<Scanned> {
    const models: ModelFolder[] = []
    const broken: BrokenModel[] = []
    for (const { name, version, signature } of await listModelFolders(this.root)) {
      const path = join(this.root, name, version)
      const known = this.seen.get(path)
      if (known && (!known.isBroken || known.signature === signature)) continue
      const reference = printable(`${name}@${version}`)
      try {
        const fault = modelNameFault(name, version)
        if (fault !== undefined) throw new MemoryGuardError('MODEL_INVALID', `${fault} Rename the folder.`)
        const model = await readModelFolder(path)
        const said = referenceOf(model.manifest)
        if (said !== reference) throw misplaced(said, reference)
        models.push(model)
        this.seen.set(path, { signature, isBroken: false })
      } catch (error) {
        broken.push({ reference, path, error })
        this.seen.set(path, { signature, isBroken: true })
      }
    }
    return { models, broken }
  }
}

/** A name as a terminal and a log may show it. */
const printable = (name: string): string => name.replaceAll(/[^\x21-\x7e]/g, '?')

const misplaced = (said: string, reference: string): MemoryGuardError =>
  new MemoryGuardError('MODEL_INVALID', `The manifest says ${said}, but the folder is that of ${reference}.`)

/**
 * Names, sizes and times of a folder's files; undefined without a manifest: it is no model folder. One that cannot be
 * listed counts as one: reading it gives the error.
 */
const signatureOf = async (path: string): Promise<string | undefined> => {
  const files = await readdir(path).then(
    (names) => names.sort(),
    () => undefined,
  )
  if (!files) return 'unreadable'
  if (!files.includes('manifest.json')) return undefined
  const signature = await Promise.all(
    files.map((file) =>
      stat(join(path, file)).then(
        ({ size, mtimeMs }) => `${file} ${size} ${mtimeMs}`,
        // A link to nothing, or a file that has just gone: reading the folder gives the error.
        () => file,
      ),
    ),
  )
  return signature.join('\n')
}
