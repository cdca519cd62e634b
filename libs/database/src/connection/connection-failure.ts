import { MemoryGuardError, reasonOf } from '#libs/platform'
import type { ConnectionTarget } from './connection-target.js'
import { isDatabaseUnavailable, sqlStateOf } from './database-unavailable.js'

/** Why the database cannot be used, and what to do. */
export interface ConnectionFailure {
  /** One or two sentences for whoever runs MemoryGuard. */
  readonly sentence: string
  /** Waiting will not help. */
  readonly isLasting: boolean
  toError(): MemoryGuardError
}

/** What to do about errors that stay until someone changes something, by SQLSTATE. */
const lasting: Readonly<Record<string, string>> = {
  '28P01': 'PostgreSQL refuses the user or the password: check both in DATABASE_URL.',
  '3D000': 'There is no such database: create it with CREATE DATABASE, or correct the name in DATABASE_URL.',
  '42501': 'The role may not do this: GRANT it CREATE and USAGE on the schema and make it the owner of the tables.',
  '42P07':
    'The database already has a table or an index of that name which is not of MemoryGuard: give it an empty database of its own.',
  '42710':
    'The database already has an object of that name which is not of MemoryGuard: give it an empty database of its own.',
  '3F000':
    'There is no schema to create tables in: CREATE SCHEMA public, or set search_path of the role to one that exists.',
  '0A000': 'This PostgreSQL lacks what MemoryGuard needs: use PostgreSQL 14 or newer.',
}

const passing: Readonly<Record<string, string>> = {
  '25006':
    'The database can only be read now: it is a standby, out of space, or was set so. DATABASE_URL must lead to the primary.',
  '53100': 'The disk of the database is full.',
  '53300': 'The database has no connection left: raise max_connections, or lower DATABASE_POOL_SIZE.',
  '57014': 'A time limit of the role or database ends statements: ALTER ROLE ... RESET statement_timeout.',
  '57P03': 'The database is starting up or recovering.',
}

/** What to do about errors that have no SQLSTATE, or one of several meanings, by their words. */
const byWords: readonly (readonly [RegExp, string])[] = [
  [
    /no encryption|SSL off|requires? (ssl|tls)|connection is insecure|sslmode/i,
    'PostgreSQL wants TLS: add sslmode=verify-full (or require) to DATABASE_URL.',
  ],
  [/no pg_hba\.conf entry/i, 'PostgreSQL lets this user, database or address not in: see its pg_hba.conf.'],
  [
    /does not support SSL/i,
    'The server has no TLS, which DATABASE_URL or PGSSLMODE asks for: set sslmode=disable, or turn TLS on there.',
  ],
  [
    /client password must be a( non-empty)? string/i,
    'PostgreSQL wants a password: put it into DATABASE_URL or DATABASE_PASSWORD.',
  ],
  [
    /no such (user|database)|(auth|password) .*failed|not allowed to log ?in/i,
    'The user, the password or the database is refused: check DATABASE_URL.',
  ],
  [
    /unsupported startup parameter/i,
    'The pooler refuses the options in DATABASE_URL or PGOPTIONS: remove them, or add them to its ignore_startup_parameters.',
  ],
  [
    /received invalid response|unknown message|unexpected .*message|invalid (frontend|server) message|unknown authenticationOk message/i,
    'The server there is not PostgreSQL: check host and port in DATABASE_URL.',
  ],
  [
    /certificate|Hostname\/IP does not match|altname/i,
    'The certificate of PostgreSQL is not trusted: name its root with sslrootcert=FILE, or use sslmode=require to trust any.',
  ],
]

/** What of a target an explanation needs. */
type Culprit = Pick<ConnectionTarget, 'variable' | 'pooling'>

/** Where the process connected to when an error occurred, by error. */
const culprits = new WeakMap<Error, Culprit>()

/** Notes whose URL an error comes from, so that its explanation names the variable to correct. */
export const noteTarget = (error: unknown, { variable, pooling }: Culprit): void => {
  if (error instanceof Error) culprits.set(error, { variable, pooling })
}

const certificateCodes = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT)/

/** The server ends a session that cannot begin. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && 'severity' in error && error.severity === 'FATAL'

/** TypeORM wraps what pg throws. */
const unwrap = (error: unknown): unknown =>
  error instanceof Error && 'driverError' in error ? error.driverError : error

const lastingSentence = (thrown: unknown): string | undefined => {
  const error = unwrap(thrown)
  const state = sqlStateOf(error)
  const words = reasonOf(error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const byState = state === undefined ? undefined : lasting[state]
  if (byState !== undefined) return byState
  if (state?.startsWith('42') || state === '22023')
    return isRefusal(error)
      ? 'PostgreSQL refuses a setting: correct the options in DATABASE_URL or PGOPTIONS.'
      : undefined
  if (state !== undefined && !/^(28|08P01)/.test(state)) return undefined
  if (certificateCodes.test(code)) return byWords.at(-1)?.[1]
  const found = byWords.find(([pattern]) => pattern.test(words))?.[1]
  return found ?? (state?.startsWith('28') ? 'PostgreSQL refuses to let this user in: check DATABASE_URL.' : undefined)
}

/** Returns what was noted for an error; undefined for errors that do not come from connecting. */
const notedTarget = (thrown: unknown): Culprit | undefined => {
  const error = unwrap(thrown)
  return error instanceof Error ? culprits.get(error) : undefined
}

/** A pooler in session mode that has lent every server lets others wait without a word. */
const isPoolerFull = (error: unknown): boolean =>
  notedTarget(error)?.pooling === 'session' && /timeout/i.test(reasonOf(unwrap(error)))

const poolerFull =
  'The pooler that DATABASE_URL leads to has no connection left: in session mode its pool must be as large as the ' +
  'connections of all processes, which are DATABASE_POOL_SIZE for each, 2 more for an API and about 20 more for a worker ' +
  'with the queues in PostgreSQL.'

/**
 * Explains why connecting, or changing the schema, failed. Never shows a password or a whole URL. `variable` is blamed for
 * errors of statements; errors of connecting know theirs.
 */
export const explainFailure = (
  error: unknown,
  variable: ConnectionTarget['variable'] = 'DATABASE_URL',
): ConnectionFailure => {
  const culprit = notedTarget(error)?.variable ?? variable
  const make = (text: string, isLasting: boolean): ConnectionFailure => {
    const sentence = error instanceof MemoryGuardError ? text : text.replace(/\bDATABASE_URL\b/g, culprit)
    return {
      sentence,
      isLasting,
      toError: () =>
        error instanceof MemoryGuardError
          ? error
          : new MemoryGuardError('DATABASE_UNAVAILABLE', sentence, { cause: error, retryable: !isLasting }),
    }
  }
  if (error instanceof MemoryGuardError) return make(error.message, !error.retryable)
  const lastingText = lastingSentence(error)
  if (lastingText !== undefined) return make(`${lastingText} (${reasonOf(error)})`, true)
  const known = passing[sqlStateOf(error) ?? '']
  if (known !== undefined) return make(`${known} (${reasonOf(error)})`, false)
  if (isPoolerFull(error)) return make(`${poolerFull} (${reasonOf(error)})`, false)
  return make(`The database does not respond (${reasonOf(error)}). Is it running, is DATABASE_URL right?`, false)
}

/** Whether `explainFailure` has words for an error; others are faults of ours. */
export const isDatabaseFailure = (error: unknown): boolean =>
  isDatabaseUnavailable(error) || lastingSentence(error) !== undefined || isSystemErrorOfConnecting(error)

/** Such as ENOENT for the folder of a socket, or EACCES. */
const isSystemErrorOfConnecting = (error: unknown): boolean =>
  notedTarget(error) !== undefined && error instanceof Error && 'syscall' in error

/** Waits for a part of a start. @throws what the database fails with as one sentence, and other errors as they are. */
export const withExplainedFailures = async <Result>(work: Promise<Result>): Promise<Result> => {
  try {
    return await work
  } catch (error) {
    throw isDatabaseFailure(error) ? explainFailure(error).toError() : error
  }
}
