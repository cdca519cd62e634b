/** Settings of a session by name. */
export type SessionSettings = Readonly<Record<string, string>>

/**
 * What our statements, and the reading of their results, depend on. A role, a database or the environment may set each of
 * these otherwise, and then rows are stored that no response can show, or a number loses digits.
 */
const required: SessionSettings = {
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  array_nulls: 'on',
  transform_null_equals: 'off',
  row_security: 'on',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  plan_cache_mode: 'auto',
}

/**
 * What holds unless the URL's own options say otherwise: no limit, for the guard of connections ends what hangs, and
 * every statement of a request or task finds its rows by key. With its defaults (disks that seek slowly, statistics from
 * before the table grew) the planner reads a young table from end to end for each batch, which doubles the cost.
 */
const preferred: SessionSettings = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  random_page_cost: '1.1',
  jit: 'off',
}

/** Settings that the startup packet may carry past every pooler, which gives them to each server it uses. */
export const startupSettings: SessionSettings = { DateStyle: 'ISO, MDY', TimeZone: 'UTC' }

/** And those that only PostgreSQL itself takes: not even the first statement may be cut off. */
export const directStartupSettings = (urlOptions: string | undefined): SessionSettings =>
  namesIn(urlOptions ?? '').has('statement_timeout') ? {} : { statement_timeout: '0' }

/** Names that the options of a URL set, such as `-c name=value` and `--name=value`. */
const namesIn = (options: string): ReadonlySet<string> =>
  new Set([...options.matchAll(/(?:^|\s)(?:-c\s*|--)([\w.-]+)=/g)].map(([, name = '']) => name.replaceAll('-', '_')))

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

/** A role that may only read by its own setting is one for people; a server or database that may only be read is so. */
const ofRole = (name: string) =>
  `(SELECT source IN ('user', 'database user', 'client') FROM pg_catalog.pg_settings WHERE name = '${name}')`

/** Our tables are in the role's `search_path`, or in `public` if that contains no existing schema. */
const searchPath = `CASE WHEN pg_catalog.to_regclass('task_attempts') IS NULL AND (
    pg_catalog.current_schema() IS NULL OR left(pg_catalog.current_schema(), 3) = 'pg_'
    OR pg_catalog.current_schema() = 'information_schema'
    OR EXISTS (
      SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relname = 'task_attempts')
  ) THEN '"$user", public' END`

const derived: SessionSettings = {
  search_path: searchPath,
  default_transaction_read_only: `CASE WHEN current_setting('default_transaction_read_only') = 'on'
    AND ${ofRole('default_transaction_read_only')} THEN 'off' END`,
  synchronous_commit: `CASE WHEN current_setting('synchronous_commit') = 'off'
    AND ${ofRole('synchronous_commit')} THEN 'on' END`,
}

/** Whether the server itself may only be read: a standby, or one that was set so for all. */
export const isServerReadOnly = `(pg_catalog.pg_is_in_recovery()
  OR current_setting('default_transaction_read_only') = 'on' AND NOT ${ofRole('default_transaction_read_only')})`

/** What a new session says of its server. */
export interface SessionFacts {
  /** Process of the server, also behind a pooler. */
  readonly pid: number
  readonly isReadOnly: boolean
}

/**
 * The one statement that a new session begins with: it sets all that we depend on, whatever the role, the database or
 * the options of the URL say, and asks for the facts. The rows are those of its last statement. Settings that the server does not know are left out.
 */
export const openSession = (more: SessionSettings, urlOptions: string | undefined): string => {
  const chosen = namesIn(urlOptions ?? '')
  const values = new Map(Object.entries(required).map(([name, value]) => [name, quote(value)]))
  for (const [name, value] of Object.entries(preferred)) if (!chosen.has(name)) values.set(name, quote(value))
  for (const [name, value] of Object.entries(derived)) if (!chosen.has(name)) values.set(name, value)
  for (const [name, value] of Object.entries(more)) values.set(name, quote(value))
  const rows = [...values].map(([name, value]) => `(${quote(name)}, ${value})`)
  const first = chosen.has('statement_timeout') ? '' : 'SET statement_timeout = 0; '
  return `${first}WITH applied AS MATERIALIZED (
    SELECT pg_catalog.set_config(name, value, false) FROM (VALUES ${rows.join(', ')}) AS wanted(name, value)
    WHERE value IS NOT NULL AND pg_catalog.current_setting(name, true) IS NOT NULL)
  SELECT pg_catalog.pg_backend_pid() AS pid,
    pg_catalog.pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "isReadOnly"
  FROM (SELECT pg_catalog.count(*) FROM applied) AS done`
}

/** Settings for one transaction, for connections whose sessions are shared. */
export const transactionSettings = (settings: SessionSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `SET LOCAL ${name} = ${quote(value)}`)
    .join('; ')

/**
 * Finds what sessions of a shared pooler must not have, for nobody can set it there. @returns the names with their values.
 */
export const findHostile = `SELECT name, setting FROM pg_catalog.pg_settings WHERE
  (name IN (${Object.keys(required)
    .filter((name) => !['datestyle', 'timezone', 'extra_float_digits'].includes(name))
    .map(quote)
    .join(', ')}) AND setting <> boot_val)
  OR (name = 'extra_float_digits' AND setting::int < 1)
  OR (name IN ('statement_timeout', 'transaction_timeout', 'lock_timeout') AND setting::int BETWEEN 1 AND 9999)
  OR (name = 'search_path' AND pg_catalog.current_schema() IS NULL)`
