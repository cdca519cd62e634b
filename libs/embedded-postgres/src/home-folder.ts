import { chmodSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createFolders, MemoryGuardError } from '#libs/platform'
import { isRoot } from './server-account.js'

/**
 * Creates MEMORYGUARD_HOME if it is missing, and returns its real path. In a home that root made, others may pass
 * through, since PostgreSQL runs as another account, but read nothing.
 *
 * @throws {MemoryGuardError} CONFIG_INVALID if it cannot be created or written.
 */
export const openHome = (path: string): string => {
  try {
    if (createFolders(resolve(path))) chmodSync(path, isRoot() ? 0o711 : 0o700)
    const home = realpathSync(path)
    createFolders(logFolder(home), 0o700)
    return home
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      `MEMORYGUARD_HOME ${path} cannot be used (${code}): choose a folder that this user may write.`,
      { cause },
    )
  }
}

/** Where the logs of everything that `start` runs go. */
export const logFolder = (home: string) => join(home, 'logs')
