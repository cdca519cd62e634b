import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { MemoryGuardError, parseDatabaseUrl, type Config, type DatabaseAddress } from '#libs/platform'

/** How a connection reaches PostgreSQL: itself, or a pooler that lends a server for a session or for a transaction. */
export type Pooling = 'none' | 'session' | 'transaction'

/** One way to one server. */
export interface Candidate {
  readonly host: string | undefined
  readonly port: number | undefined
  /** Undefined: as `PGSSLMODE` says. */
  readonly ssl: ConnectionOptions | boolean | undefined
}

/** Where connections of a kind go, as far as the process knows it by now. */
export class ConnectionTarget {
  readonly candidates: readonly Candidate[]
  /** Known from the first connection on. */
  pooling: Pooling | undefined
  /** The candidate that responded last. */
  chosen: Candidate | undefined

  constructor(
    /** The variable that names it, for messages. */
    readonly variable: 'DATABASE_URL' | 'DATABASE_DIRECT_URL',
    readonly address: DatabaseAddress,
  ) {
    const hosts = address.hosts.length > 0 ? address.hosts : [{ host: undefined, port: undefined }]
    this.candidates = hosts.flatMap(({ host, port }) =>
      tlsOptions(variable, address).map((ssl) => ({ host, port, ssl })),
    )
    if (this.candidates.length === 1) this.chosen = this.candidates[0]
  }

  /** Forgets which of several servers was chosen, so that the next connection searches for it anew. */
  searchAnew(): void {
    if (this.candidates.length > 1) this.chosen = undefined
  }
}

/** Ways to encrypt, in the order in which they are tried. As libpq has them: only `verify-...` and a root ask who responds. */
const tlsOptions = (variable: ConnectionTarget['variable'], address: DatabaseAddress): readonly Candidate['ssl'][] => {
  const { tls } = address
  const readPem = (path: string, parameter: string) => readPemFile(path, `${parameter} of ${variable}`)
  if (tls === undefined && !address.rootCertificate && !address.certificate) return [undefined]
  if (tls === 'disable') return [false]
  const files = {
    ...(address.rootCertificate && { ca: readPem(address.rootCertificate, 'sslrootcert') }),
    ...(address.certificate && { cert: readPem(address.certificate, 'sslcert') }),
    ...(address.privateKey && { key: readPem(address.privateKey, 'sslkey') }),
  }
  const unchecked = { ...files, rejectUnauthorized: false }
  const anyName = { ...files, checkServerIdentity: () => undefined }
  switch (tls) {
    case 'allow':
      return [false, unchecked]
    case 'prefer':
      return [unchecked, false]
    case 'no-verify':
      return [unchecked]
    case 'require':
      return [files.ca === undefined ? unchecked : anyName]
    case 'verify-ca':
      return [anyName]
    case 'verify-full':
    case undefined:
      return [files]
  }
}

const readPemFile = (path: string, parameter: string): string | undefined => {
  if (path === 'system') return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new MemoryGuardError('CONFIG_INVALID', `The file that ${parameter} names cannot be read.`, {
      cause,
    })
  }
}

type Targets = { readonly main: ConnectionTarget; readonly direct: ConnectionTarget }

const targets = new WeakMap<Config, Targets>()

const makeTargets = ({ database: { url, directUrl } }: Config): Targets => {
  const make = (variable: ConnectionTarget['variable'], text: string) => {
    const address = parseDatabaseUrl(text)
    if ('fault' in address) throw new MemoryGuardError('CONFIG_INVALID', `${variable} ${address.fault}.`)
    return new ConnectionTarget(variable, address)
  }
  if (!url) {
    throw new MemoryGuardError(
      'CONFIG_INVALID',
      'DATABASE_URL is not set. Set it to a PostgreSQL URL, or run `npm start`, which brings its own PostgreSQL.',
    )
  }
  const main = make('DATABASE_URL', url)
  return { main, direct: directUrl ? make('DATABASE_DIRECT_URL', directUrl) : main }
}

/**
 * Where a process connects: `main` for statements and transactions, `direct` for what needs a session of its own.
 * @throws MemoryGuardError CONFIG_INVALID without a URL.
 */
export const connectionTargets = (config: Config): Targets => {
  const found = targets.get(config) ?? makeTargets(config)
  targets.set(config, found)
  return found
}
