import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The admin key of an installation and the file that keeps it. */
export interface AdminKey {
  readonly key: string
  readonly path: string
  readonly isNew: boolean
}

/** The admin key kept in `home`, readable by its owner alone; made at the first call. */
export function ensureAdminKey(home: string): AdminKey {
  const path = adminKeyPath(home)
  if (existsSync(path)) return { key: readFileSync(path, 'utf8').trim(), path, isNew: false }
  const key = `mg_${randomBytes(32).toString('base64url')}`
  writeFileSync(path, `${key}\n`, { mode: 0o600, flag: 'wx' })
  return { key, path, isNew: true }
}

/** The admin key kept in `home`, if there is one. */
export function findAdminKey(home: string): string | undefined {
  const path = adminKeyPath(home)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

const adminKeyPath = (home: string) => join(home, 'admin-key')
