import { Command } from 'commander'

interface StartFlags {
  readonly port?: string
  readonly watch?: boolean
}

/** `memoryguard start`: everything on this machine. */
export const startCommand = (): Command =>
  new Command('start')
    .description('run everything on this machine: PostgreSQL (unless DATABASE_URL is set), api and worker')
    .option(
      '-p, --port <port>',
      'port of the API (default: PORT, or the first free one from 3000 on; 0 takes a free one)',
    )
    .option('--watch', 'for development: show the logs here, and restart api and worker when their code changes')
    .action(async ({ port, watch }: StartFlags) => {
      const { readEnvironment } = await import('#libs/platform')
      const { runStart } = await import('../start/run-start.js')
      const env = readEnvironment()
      process.exitCode = await runStart(port === undefined ? env : { ...env, PORT: port }, watch)
    })
