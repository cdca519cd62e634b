import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, type Config } from '#libs/platform'
import { CommandError } from '../command-error.js'
import { findLockHolder } from '#libs/embedded-postgres'

const filePath = (home: string) => join(home, 'database-url')

/** Path of the lock that a running `start` holds. */
export const startLockPath = (home: string) => join(home, 'start.lock')

/** Notes where the embedded database of this home listens, readable by its owner alone. Returns the undo. */
export const announceDatabase = (home: string, url: string): (() => void) => {
  const path = filePath(home)
  rmSync(path, { force: true })
  writeFileSync(path, `${url}\n`, { mode: 0o600 })
  return () => rmSync(path, { force: true })
}

/**
 * Gives the environment of a command that needs a database the one which `memoryguard start` runs here, unless it names
 * its own.
 * @throws {CommandError} if it names none and none runs.
 */
export const useRunningDatabase = (env: NodeJS.ProcessEnv): void => {
  const { database, home } = loadConfig(env)
  if (database.url !== undefined) return
  const path = filePath(home)
  if (findLockHolder(startLockPath(home)) === undefined || !existsSync(path)) {
    throw new CommandError(
      `DATABASE_URL is not set, and no "memoryguard start" with its own database runs on ${home}. ` +
        'Set DATABASE_URL, or run "npm start" beside this command.',
    )
  }
  env['DATABASE_URL'] = readFileSync(path, 'utf8').trim()
}

/** The configuration, with the database of a running `start` where none is named and one runs. */
export const configWithDatabase = (env: NodeJS.ProcessEnv): Config => {
  const own = { ...env }
  try {
    useRunningDatabase(own)
  } catch (error) {
    // None runs: what needs it says so.
    if (!(error instanceof CommandError)) throw error
  }
  return loadConfig(own)
}
