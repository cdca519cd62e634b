import { realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { MemoryGuardError } from '#libs/platform'
import { z } from 'zod'

/** Name of a model, which is the name of a folder too. */
export const modelName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and hyphens, starting with a letter')

/** Version of a model, which is the name of a folder too. */
export const modelVersion = z
  .string()
  .regex(
    /^[0-9][A-Za-z0-9._-]{0,30}$/,
    'must be letters, digits, dots and hyphens, starting with a digit, e.g. "1" or "2.1"',
  )

/** Name of a file of a model folder. */
export const modelFileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$/, 'must be a file name without folders')

/** What keeps a name and a version from naming a model folder; undefined if nothing does. */
export const modelNameFault = (name: string, version: string): string | undefined => {
  const [nameIssue] = modelName.safeParse(name).error?.issues ?? []
  if (nameIssue) return `The name of a model ${nameIssue.message}.`
  const [versionIssue] = modelVersion.safeParse(version).error?.issues ?? []
  return versionIssue && `The version of a model ${versionIssue.message}.`
}

/**
 * The folder of a model below the root of all models, whether it exists or not. Every name that becomes a path passes
 * through here.
 * @throws {MemoryGuardError} MODEL_INVALID if the name, the version or a symbolic link leads out of the root.
 */
export const modelFolderPath = async (root: string, name: string, version: string): Promise<string> => {
  const fault = modelNameFault(name, version)
  if (fault !== undefined) throw new MemoryGuardError('MODEL_INVALID', fault)
  const parent = join(root, name)
  if (!(await isWithin(root, parent))) {
    throw new MemoryGuardError('MODEL_INVALID', `${parent} is a link out of the folder of models: remove the link.`)
  }
  return join(parent, version)
}

/** Why a file of a model folder cannot be used. */
export type ModelFileFault = 'is missing' | 'cannot be read' | 'is no regular file' | 'is a link out of the folder'

/**
 * The path of a file of a model folder. Everything that reads one passes through here, so that no manifest makes the
 * service read what lies elsewhere, or wait for what is no file.
 * @returns the path, or what is wrong with it.
 */
export const modelFilePath = async (
  folder: string,
  file: string,
): Promise<{ readonly path: string } | { readonly fault: ModelFileFault }> => {
  const path = join(folder, file)
  try {
    if (!(await isWithin(folder, path))) return { fault: 'is a link out of the folder' }
    return (await stat(path)).isFile() ? { path } : { fault: 'is no regular file' }
  } catch (error) {
    return { fault: isAbsent(error) ? 'is missing' : 'cannot be read' }
  }
}

/** Whether a path, with its links followed, lies below a folder; one that does not exist leads nowhere. */
const isWithin = async (folder: string, path: string): Promise<boolean> => {
  try {
    return (await realpath(path)).startsWith((await realpath(folder)) + sep)
  } catch (error) {
    if (isAbsent(error)) return true
    throw error
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'
