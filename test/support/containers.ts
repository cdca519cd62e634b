import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitFor } from './wait-for.js'

/** The repository's folder. */
export const repository = fileURLToPath(new URL('../..', import.meta.url))

const succeeds = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** The container engine of this machine. */
export const engine = (['docker', 'podman'] as const).find((name) => succeeds(name, 'info'))

const isPodman = engine === 'podman'

/** The command for compose, in words: Podman's own where it has one, or else that of Docker at Podman's socket. */
export const composeCommand = (isPodman ? ['podman compose', 'docker-compose'] : ['docker compose'])
  .map((command) => command.split(' '))
  .find(([command = '', ...args]) => succeeds(command, ...args, 'version'))

/** The images on which everything is built; they must be here already, or be pulled from a registry. */
const baseImages = ['docker.io/library/node:24-slim', 'docker.io/library/postgres:18', 'docker.io/library/redis:8']

const missing = (): string | undefined => {
  if (engine === undefined) return 'podman or docker'
  if (composeCommand === undefined) return `compose for ${engine}`
  return baseImages.find((image) => !succeeds(engine, 'image', 'inspect', image) && !succeeds(engine, 'pull', image))
}

/** What the tests of containers need and this machine lacks; undefined if nothing. */
export const missingForContainers = missing()

/** Where the set-up leaves the address of Podman's socket: not in DOCKER_HOST, or Podman would look like Docker. */
export const socketVariable = 'PODMAN_SOCKET_OF_TESTS'

/** The image of the tests, built from this repository by the set-up of the project `containers`. */
export const imageName = 'docker.io/library/memoryguard:test'

export interface Finished {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command to its end, whatever its exit code. */
export const run = (
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 * 1_048_576, ...options }, (error, out, err) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
    })
  })

/** Runs a command of the container engine. @throws with what it printed if it fails. */
export const runEngine = async (...args: readonly string[]): Promise<string> => {
  const { code, out, err } = await run(engine ?? 'podman', args, { cwd: repository })
  if (code !== 0) throw new Error(`${engine} ${args.join(' ')} ended with ${code}: ${err}${out}`)
  return out.trim()
}

/** Size of an image in bytes. */
export const sizeOf = async (image: string): Promise<number> =>
  Number(await runEngine('image', 'inspect', '--format', '{{.Size}}', image))

/** Runs the health checks of containers, which Podman leaves to systemd. */
const checkHealth = (): { stop(): Promise<void> } => {
  let isStopped = false
  const turn = async (): Promise<void> => {
    const { out } = await run('podman', ['ps', '--quiet', '--filter', 'status=running'])
    for (const id of out.split('\n').filter((line) => line !== '')) await run('podman', ['healthcheck', 'run', id])
  }
  const turns = waitFor(() => turn().then(() => isStopped), {
    what: 'the end of the tests',
    timeoutMs: 3_600_000,
    intervalMs: 1_000,
  })
  return {
    stop: async () => {
      isStopped = true
      await turns
    },
  }
}

/** Podman's socket, through which compose speaks to it. */
const serveSocket = async (folder: string): Promise<ChildProcess> => {
  const url = `unix://${join(folder, 'podman.sock')}`
  const service = spawn('podman', ['system', 'service', '--time=0', url], { stdio: 'ignore' })
  process.env[socketVariable] = url
  await waitFor(() => succeeds('podman', '--url', url, 'version'), { what: "Podman's socket" })
  return service
}

/** Vitest's global set-up of the project `containers`: builds the image, and serves what Podman needs for compose. */
export const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  if (missingForContainers !== undefined) {
    process.stdout.write(`Left out: the tests of containers, which need ${missingForContainers}.\n`)
    return undefined
  }
  // Such as `--network host`, where a build reaches the registry of packages only through the host.
  const options = process.env['MEMORYGUARD_BUILD_OPTIONS']?.split(' ') ?? []
  await runEngine('build', ...options, '--file', 'deploy/Dockerfile', '--tag', imageName, '.')
  if (!isPodman) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-containers-'))
  const service = await serveSocket(folder)
  const checks = checkHealth()
  return async () => {
    await checks.stop()
    service.kill()
    await once(service, 'exit')
    rmSync(folder, { recursive: true })
  }
}
