import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { findFreePort } from '#libs/platform'
import { composeCommand, imageName, repository, run, socketVariable, type Finished } from './containers.js'

/** docker-compose.yml, run under a name of its own on a free port, with `.env` and secrets of its own. */
export interface Composition {
  readonly folder: string
  readonly url: string
  /** Runs `compose` with these arguments. */
  compose(...args: readonly string[]): Promise<Finished>
  /** The same. @throws with what it printed if it fails. */
  composed(...args: readonly string[]): Promise<string>
  /** Starts everything and waits until it is healthy. */
  up(): Promise<Finished>
  /** The containers of services, those that have ended too. */
  containers(): Promise<readonly Container[]>
  /** A request with the key of the administrator. */
  request(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  writeSecret(name: string, text: string): void
  /** Removes containers, networks and volumes. */
  remove(): Promise<void>
}

export interface Container {
  readonly Service: string
  readonly Name: string
  readonly State: string
  readonly Health: string
  readonly ExitCode: number
}

/** Copies what docker-compose.yml needs beside the image into a new folder. */
export const makeComposition = async (
  settings: Readonly<Record<string, string>> = {},
  variables: Readonly<Record<string, string>> = {},
): Promise<Composition> => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-compose-'))
  for (const name of ['docker-compose.yml', 'deploy'])
    cpSync(join(repository, name), join(folder, name), { recursive: true })
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, '.env'), lines.join(''))
  const port = await findFreePort('127.0.0.1')
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    DOCKER_HOST: process.env[socketVariable] ?? process.env['DOCKER_HOST'],
    MEMORYGUARD_IMAGE: imageName,
    COMPOSE_PROJECT_NAME: basename(folder).toLowerCase(),
    PORT: String(port),
    ...variables,
  }
  const [command = 'docker', ...first] = composeCommand ?? []
  const compose = (...args: readonly string[]) => run(command, [...first, ...args], { cwd: folder, env })
  const composed = async (...args: readonly string[]) => {
    const { code, out, err } = await compose(...args)
    if (code !== 0) throw new Error(`compose ${args.join(' ')} ended with ${code}: ${err}${out}`)
    return out
  }
  let key: string | undefined
  const url = `http://127.0.0.1:${env.PORT}`
  return {
    folder,
    url,
    compose,
    composed,
    up: () => compose('up', '--detach', '--wait', '--no-build'),
    containers: async () =>
      (await composed('ps', '--all', '--format', 'json'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Container),
    request: async (path, body, headers = {}) => {
      key ??= await composed('exec', '-T', 'api', 'cat', '/data/admin-key')
      const isText = typeof body === 'string'
      return fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${key.trim()}`,
          prefer: 'wait=20',
          ...(body !== undefined && { 'content-type': isText ? 'text/csv' : 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      })
    },
    writeSecret: (name, text) => writeFileSync(join(folder, 'deploy/secrets', name), text),
    remove: async () => {
      await composed('down', '--volumes', '--timeout', '1')
      rmSync(folder, { recursive: true })
    },
  }
}
