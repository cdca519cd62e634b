import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, cpSync, lstatSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startEmbeddedPostgres } from '#libs/embedded-postgres'

/** The database of a stack: it can be killed and comes back on the same port with its data. */
export interface RestartablePostgres {
  readonly url: string
  readonly pid: number
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Gives the processes that run test files the place of the templates. */
export const templatesVariable = 'STACK_TEMPLATES'

/** The folder of a migrated database for stacks with this broker; undefined where Vitest's set-up has not run. */
export const findTemplate = (broker: string): string | undefined => {
  const folder = process.env[templatesVariable]
  return folder === undefined ? undefined : join(folder, broker)
}

/** A new folder that a PostgreSQL of ours can be started on. */
export const makePostgresHome = (): string => {
  const home = mkdtempSync(join(tmpdir(), 'memoryguard-stack-'))
  // The account the server runs as must be able to enter.
  chmodSync(home, 0o711)
  return home
}

/** Copies the data of a server that is stopped, with its owner and password. */
export const copyPostgres = (template: string, home: string): void => {
  const link = join(template, 'postgres')
  const source = realpathSync(link)
  const isLink = lstatSync(link).isSymbolicLink()
  const target = join(isLink ? dirname(source) : home, isLink ? randomUUID() : 'postgres')
  const { status, stderr } = spawnSync('cp', ['-a', source, target], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`The template cannot be copied: ${stderr}`)
  if (isLink) symlinkSync(target, join(home, 'postgres'))
  cpSync(join(template, 'postgres-password'), join(home, 'postgres-password'))
}

/** Deletes the folder of a server that is stopped, and its data where that is elsewhere. */
export const deletePostgres = (home: string): void => {
  // The data is elsewhere if the temporary folder of this system is closed to the server's account.
  for (const path of [realpathSync(join(home, 'postgres')), home]) rmSync(path, { recursive: true, force: true })
}

export const startPostgres = async (home: string, durable: boolean): Promise<RestartablePostgres> => {
  const start = () => startEmbeddedPostgres({ home, durable, log: () => undefined })
  let server = await start()
  return {
    url: server.url,
    get pid() {
      return server.pid
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL')
      await server.exited
      await server.stop()
    },
    restart: async () => {
      server = await start()
    },
    stop: async () => {
      await server.stop()
      deletePostgres(home)
    },
  }
}
