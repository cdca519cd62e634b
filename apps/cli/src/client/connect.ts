import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig, readEnvironment } from '#libs/platform'
import { findAdminKey } from '../start/admin-key.js'
import { RestClient } from './rest-client.js'

/** Options of every command that calls the API. */
export interface ConnectionFlags {
  readonly url?: string
  readonly apiKey?: string
}

/**
 * A client for the API named by `--url`, else the one `memoryguard start` runs here, else HOST and PORT; with the key
 * of `--api-key`, else MEMORYGUARD_API_KEY or ADMIN_API_KEY, else the admin key of MEMORYGUARD_HOME.
 */
export const connect = (flags: ConnectionFlags): RestClient => {
  const env = readEnvironment()
  const { home, http, adminApiKey } = loadConfig(env)
  const url = flags.url ?? findRunningUrl(home) ?? baseUrl(http.host, http.port)
  return new RestClient(url, flags.apiKey ?? env['MEMORYGUARD_API_KEY'] ?? adminApiKey ?? findAdminKey(home))
}

/** The URL under which this machine reaches an API that listens on `host` and `port`. */
export const baseUrl = (host: string, port: number): string => {
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Keeps the URL of the API of this home, so that other commands find it. Returns the undo. */
export const announceUrl = (home: string, url: string): (() => void) => {
  const path = urlPath(home)
  writeFileSync(path, url)
  return () => rmSync(path, { force: true })
}

const findRunningUrl = (home: string): string | undefined => {
  const path = urlPath(home)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}

const urlPath = (home: string) => join(home, 'api-url')
