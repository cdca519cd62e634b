import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { createFolders, MemoryGuardError } from '#libs/platform'
import { prepareBinaries, type PostgresBinaries } from './postgres-binaries.js'
import { canEnter, chooseServerAccount, isRoot, type ServerAccount } from './server-account.js'

/** A PostgreSQL data folder with all that is needed to serve it. */
export interface PostgresCluster {
  /** Real path of the data folder. */
  readonly dataFolder: string
  readonly account: ServerAccount
  readonly binaries: PostgresBinaries
  readonly password: string
}

export interface ClusterOptions {
  /** MEMORYGUARD_HOME; exists. */
  readonly home: string
  /** Where data and programs go if the server's account cannot enter `home`. */
  readonly systemFolder: string
  /** Whether a new cluster is flushed to disk before it is used. */
  readonly isDurable: boolean
  readonly log: (line: string) => void
}

/** Superuser and only role of the embedded server. */
export const postgresUser = 'memoryguard'

/** Programs of PostgreSQL get this environment alone, so that no PG* variable of the caller reaches them. */
export const postgresEnvironment = { LC_ALL: 'C' }

/** How a new cluster is flushed to disk: with one call where the system has it, not file by file. */
const syncFlags = process.platform === 'linux' ? ['--sync-method=syncfs'] : []

/**
 * Finds the cluster of `home`, or creates it. `home/postgres` is its data folder, or a link to it where the account the
 * server runs as cannot enter `home`.
 *
 * @throws {MemoryGuardError} DATABASE_UNAVAILABLE with what to do, if the cluster cannot be used or created.
 */
export const prepareCluster = (options: ClusterOptions): PostgresCluster => {
  if (process.platform === 'win32') {
    throw unavailable('The embedded PostgreSQL runs on Linux and macOS. On Windows use WSL, or set DATABASE_URL.')
  }
  const { home, systemFolder, log } = options
  const link = join(home, 'postgres')
  const isNew = lstatSync(link, { throwIfNoEntry: false }) === undefined
  if (!isNew && !existsSync(link))
    throw unavailable(`${link} leads nowhere: bring back the folder it names, or delete it to start afresh.`)
  const account = chooseServerAccount(isNew ? undefined : statSync(link))
  const binaries = prepareBinaries(account, isRoot() ? systemFolder : home, log)
  const password = isNew ? createPassword(home) : readPassword(home)
  if (!isNew) {
    const dataFolder = realpathSync(link)
    assertUsable(dataFolder, account)
    return { dataFolder, account, binaries, password }
  }
  const isHomeOpen = canEnter(home, account)
  const place = isHomeOpen ? realpathSync(home) : systemFolder
  const dataFolder = join(place, isHomeOpen ? 'postgres' : randomBytes(8).toString('hex'))
  if (!isHomeOpen) {
    log(`PostgreSQL runs as uid ${account.uid}, which cannot enter ${home}: its data is in ${dataFolder}`)
    createFolders(place, 0o755)
  }
  createDataFolder({ dataFolder, account, binaries, password }, options.isDurable)
  if (!isHomeOpen) symlinkSync(dataFolder, link)
  return { dataFolder, account, binaries, password }
}

const assertUsable = (dataFolder: string, account: ServerAccount): void => {
  const { uid } = statSync(dataFolder)
  const own = account.uid ?? process.getuid?.()
  if (uid !== own) {
    throw unavailable(
      `${dataFolder} belongs to uid ${uid}: start as that user or as root, or choose another MEMORYGUARD_HOME.`,
    )
  }
  if (!canEnter(dataFolder, account)) {
    throw unavailable(
      `uid ${uid}, which PostgreSQL runs as, cannot enter ${dataFolder}: allow it on each folder above (chmod o+x), or choose another MEMORYGUARD_HOME.`,
    )
  }
}

/** Made under another name and renamed, so that a folder with the final name is always complete. */
const createDataFolder = (cluster: PostgresCluster, isDurable: boolean): void => {
  const { dataFolder, account, binaries, password } = cluster
  const draft = `${dataFolder}.new`
  const passwordFile = `${dataFolder}.password`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 })
    for (const path of [draft, passwordFile]) give(path, account)
    const flags = [
      `--pgdata=${draft}`,
      `--username=${postgresUser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // One collation on every machine: it is built in, so no system library changes it under an index.
      ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...(isDurable ? syncFlags : ['--no-sync']),
    ]
    const run = spawnSync(binaries.initdb, flags, { ...account, cwd: '/', env: postgresEnvironment, encoding: 'utf8' })
    if (run.status !== 0)
      throw unavailable(`PostgreSQL could not create ${dataFolder}: ${(run.error?.message ?? run.stderr).trim()}`)
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(draft, dataFolder)
}

const give = (path: string, { uid, gid }: ServerAccount): void => {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
}

const createPassword = (home: string): string => {
  const password = randomBytes(24).toString('base64url')
  writeFileSync(passwordPath(home), password, { mode: 0o600 })
  return password
}

const readPassword = (home: string): string => {
  const path = passwordPath(home)
  if (existsSync(path)) return readFileSync(path, 'utf8')
  throw unavailable(
    `${path} is missing, so the database in ${dirname(path)} cannot be opened: bring the file back, or choose another MEMORYGUARD_HOME.`,
  )
}

const passwordPath = (home: string) => join(home, 'postgres-password')

const unavailable = (message: string): MemoryGuardError => new MemoryGuardError('DATABASE_UNAVAILABLE', message)
