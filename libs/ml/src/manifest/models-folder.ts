import { readdirSync } from 'node:fs'
import { MemoryGuardError, type Config } from '#libs/platform'

/** What is wrong with a folder that cannot be listed, by the system's code. */
const faults: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is no folder',
  EACCES: 'cannot be read by this user',
  EPERM: 'cannot be read by this user',
}

/**
 * Rejects a start whose folder of models cannot be listed; one that is empty may be filled later.
 * @throws {MemoryGuardError} CONFIG_INVALID
 */
export const assertModelsFolder = ({ models: { folder } }: Config): void => {
  try {
    readdirSync(folder)
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      `MODELS_DIR: ${folder} ${faults[code] ?? `cannot be read (${code})`}. Set it to the folder that holds the model folders.`,
      { cause, faults: [{ pointer: 'MODELS_DIR', message: 'must be a folder that can be read' }] },
    )
  }
}
