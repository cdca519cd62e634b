import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryGuardError } from '#libs/platform'

/** The admin key kept in `home`; made at the first call. */
export const ensureAdminKey = (home: string): string => {
  const kept = findAdminKey(home)
  if (kept !== undefined) return kept
  const key = `mg_${randomBytes(32).toString('base64url')}`
  keepAdminKey(home, key)
  return key
}

/** The admin key kept in `home`, if there is one. */
export const findAdminKey = (home: string): string | undefined => {
  const path = adminKeyPath(home)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined
}

/**
 * Keeps an admin key in `home`, readable by its owner alone, as a whole or not at all; returns the path of its file.
 *
 * @throws {MemoryGuardError} CONFIG_INVALID if it cannot be written.
 */
export const keepAdminKey = (home: string, key: string): string => {
  const path = adminKeyPath(home)
  const draft = `${path}.${randomUUID()}`
  try {
    writeFileSync(draft, `${key}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(draft, path)
    return path
  } catch (cause) {
    rmSync(draft, { force: true })
    const { code } = cause as NodeJS.ErrnoException
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      `The first admin key cannot be kept in ${path} (${code}): make it writable, or set ADMIN_API_KEY.`,
      { cause },
    )
  }
}

const adminKeyPath = (home: string) => join(home, 'admin-key')
