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
  readonly looks: string
}

/** The model folders `<name>/<version>/manifest.json` below a root. */
export const listModelFolders = async (root: string): Promise<readonly FoundFolder[]> => {
  const found: FoundFolder[] = []
  for (const name of await folderNames(root)) {
    for (const version of await folderNames(join(root, name))) {
      const looks = await signatureOf(join(root, name, version))
      if (looks !== undefined) found.push({ name, version, looks })
    }
  }
  return found
}

/**
 * Finds the model folders `<name>/<version>/manifest.json` below a root, again and again. A version that was read is
 * read no more: versions are immutable. One that was broken is read again when a file of it has changed, so that a
 * folder may be copied in or mended while the service runs.
 */
export class FolderScanner {
  /** How a folder looked when it was read, by path. */
  private readonly readAs = new Map<string, string>()
  private readonly brokenAs = new Map<string, string>()

  constructor(private readonly root: string) {}

  /** A model that was read has turned out to be broken: its folder is read again once it has changed. */
  reject({ path }: ModelFolder): void {
    const looks = this.readAs.get(path)
    if (looks !== undefined) this.brokenAs.set(path, looks)
    this.readAs.delete(path)
  }

  async scan(): Promise<Scanned> {
    const models: ModelFolder[] = []
    const broken: BrokenModel[] = []
    for (const { name, version, looks } of await listModelFolders(this.root)) {
      const path = join(this.root, name, version)
      if (this.readAs.has(path) || this.brokenAs.get(path) === looks) continue
      const reference = printable(`${name}@${version}`)
      try {
        const fault = modelNameFault(name, version)
        if (fault !== undefined) throw new MemoryGuardError('MODEL_INVALID', `${fault} Rename the folder.`)
        const model = await readModelFolder(path)
        const said = referenceOf(model.manifest)
        if (said !== reference) throw misplaced(said, reference)
        models.push(model)
        this.readAs.set(path, looks)
        this.brokenAs.delete(path)
      } catch (error) {
        broken.push({ reference, path, error })
        this.brokenAs.set(path, looks)
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
 * listed counts as one, so that whoever reads it says so.
 */
const signatureOf = async (path: string): Promise<string | undefined> => {
  const files = await readdir(path).then(
    (names) => names.sort(),
    () => undefined,
  )
  if (!files) return 'unreadable'
  if (!files.includes('manifest.json')) return undefined
  const looks = await Promise.all(
    files.map((file) =>
      stat(join(path, file)).then(
        ({ size, mtimeMs }) => `${file} ${size} ${mtimeMs}`,
        // A link to nothing, or a file that has just gone: whoever reads the folder says what is wrong with it.
        () => file,
      ),
    ),
  )
  return looks.join('\n')
}
