/** Ways of TLS, as libpq names them, and pg's own `no-verify`. */
const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const
type TlsMode = (typeof tlsModes)[number]

const sessionTargets = ['any', 'read-write', 'primary'] as const

/** Where a PostgreSQL is, and how to sign in: what a URL or a string of libpq's keywords says. */
export interface DatabaseAddress {
  /** In the order in which they are tried; a host that begins with `/` is a socket's folder. Empty: as `PGHOST` says. */
  readonly hosts: readonly { readonly host: string; readonly port: number | undefined }[]
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** Settings of the session, such as `-c statement_timeout=30000`. */
  readonly options: string | undefined
  readonly applicationName: string | undefined
  /** Undefined: as `PGSSLMODE` says, otherwise without TLS. */
  readonly tls: TlsMode | undefined
  /** Paths of PEM files. */
  readonly rootCertificate: string | undefined
  readonly certificate: string | undefined
  readonly privateKey: string | undefined
  readonly connectSeconds: number | undefined
  /** Whether any server will do, or only one that can be written to. */
  readonly target: (typeof sessionTargets)[number]
}

const kindWords =
  'must be a PostgreSQL URL, starting with postgres:// or postgresql://, or keywords such as "host=db.example dbname=app user=app"'

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that stands for itself.
    return text
  }
}

/** What follows the `@` of the user: hosts, then perhaps a database and parameters. A password may hold any of these. */
const place = /^(?<hosts>[\w.%,:[\]-]*)(?:\/(?<database>[^/?@]*))?(?:\?(?<query>(?:\w+=.*)?))?$/s

/** Splits behind the first `@` after which a place follows, so that a password need not be encoded. */
const splitUrl = (text: string) => {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const found = place.exec(text.slice(at + 1))
    if (found?.groups) return { userInfo: text.slice(0, at), ...found.groups }
  }
  const found = place.exec(text)
  return found?.groups && { userInfo: '', ...found.groups }
}

const parseUrl = (text: string): Record<string, string> | undefined => {
  const parts: Partial<Record<'userInfo' | 'hosts' | 'database' | 'query', string>> | undefined = splitUrl(
    text.replace(/^postgres(ql)?:\/\//, ''),
  )
  if (!parts) return undefined
  const { userInfo = '', hosts = '', database = '', query = '' } = parts
  const colon = userInfo.indexOf(':')
  const entries = hosts.split(',').map((entry) => /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(entry))
  if (entries.includes(null)) return undefined
  const found = {
    host: entries.map((entry) => decode(entry?.[1] ?? '').replace(/^\[(.*)\]$/, '$1')).join(','),
    port: entries.map((entry) => entry?.[2] ?? '').join(','),
    user: decode(colon < 0 ? userInfo : userInfo.slice(0, colon)),
    password: colon < 0 ? '' : decode(userInfo.slice(colon + 1)),
    dbname: decode(database),
  }
  const given = Object.entries(found).filter(([, value]) => value.replaceAll(',', '') !== '')
  return { ...Object.fromEntries(given), ...Object.fromEntries(new URLSearchParams(query)) }
}

const keyword = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/gsy

const parseKeywords = (text: string): Record<string, string> | undefined => {
  const found: Record<string, string> = {}
  let end = 0
  for (const match of text.matchAll(keyword)) {
    const [all, name = '', quoted, plain = ''] = match
    found[name] = (quoted ?? plain).replaceAll(/\\(.)/gs, '$1')
    end = match.index + all.length
  }
  return end > 0 && text.slice(end).trim() === '' ? found : undefined
}

const tlsOf = ({ sslmode, ssl }: Record<string, string>): string | undefined => {
  if (sslmode !== undefined) return sslmode
  if (ssl === undefined) return undefined
  return ssl === 'true' || ssl === '1' ? 'verify-full' : ssl === 'false' || ssl === '0' ? 'disable' : ssl
}

const isOneOf = <Word extends string>(words: readonly Word[], word: string | undefined): word is Word =>
  (words as readonly (string | undefined)[]).includes(word)

/**
 * Reads a PostgreSQL URL or libpq's keywords; unknown parameters are ignored. Returns a fault, without a value, if it
 * cannot be understood.
 */
export const parseDatabaseUrl = (text: string): DatabaseAddress | { readonly fault: string } => {
  const isUrl = /^postgres(ql)?:\/\//.test(text)
  const values = isUrl ? parseUrl(text) : parseKeywords(text)
  if (!values) return { fault: kindWords }
  const tls = tlsOf(values)
  if (tls !== undefined && !isOneOf(tlsModes, tls)) return { fault: `has an sslmode other than ${tlsModes.join(', ')}` }
  const hosts = (values['host'] ?? '').split(',')
  const target = values['target_session_attrs'] ?? (hosts.length > 1 ? 'read-write' : 'any')
  if (!isOneOf(sessionTargets, target))
    return { fault: `needs target_session_attrs to be ${sessionTargets.join(', ')}: a standby cannot be written to` }
  const ports = (values['port'] ?? '').split(',').map(Number)
  if (ports.some((port) => !(Number.isInteger(port) && port >= 0 && port <= 65_535)))
    return { fault: 'has a port other than 1 to 65535' }
  if (ports.length > 1 && ports.length !== hosts.length) return { fault: 'has not as many ports as hosts' }
  const connectSeconds = Number(values['connect_timeout'] ?? 0)
  if (!Number.isFinite(connectSeconds)) return { fault: 'has a connect_timeout that is no number of seconds' }
  return {
    hosts: hosts[0] === '' ? [] : hosts.map((host, index) => ({ host, port: ports[index] || ports[0] || undefined })),
    user: values['user'],
    password: values['password'],
    database: values['dbname'] ?? values['database'],
    options: values['options'],
    applicationName: values['application_name'],
    tls,
    rootCertificate: values['sslrootcert'],
    certificate: values['sslcert'],
    privateKey: values['sslkey'],
    connectSeconds: connectSeconds > 0 ? connectSeconds : undefined,
    target,
  }
}
