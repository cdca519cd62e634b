import { Command } from 'commander'
import { reportAs } from '../server-command.js'

interface ApiFlags {
  readonly port?: string
  readonly host?: string
}

/** `memoryguard api`: the HTTP API alone, in this process. */
export function apiCommand(): Command {
  return new Command('api')
    .description('run the HTTP API')
    .option('-p, --port <port>', 'port to listen on (default: PORT, or the first free one from 3000 on)')
    .option('--host <address>', 'address to listen on (default: HOST, or 127.0.0.1)')
    .action(async ({ port, host }: ApiFlags) => {
      const { loadConfig, readEnvironment } = await import('#libs/platform')
      const { ensureAdminKey } = await import('../start/admin-key.js')
      const { openHome } = await import('../start/home-folder.js')
      const env = readEnvironment()
      if (port !== undefined) env['PORT'] = port
      if (host !== undefined) env['HOST'] = host
      const config = loadConfig(env)
      const { useRunningDatabase } = await import('../start/running-database.js')
      useRunningDatabase(env)
      if (config.adminApiKey === undefined) {
        const { key, path, isNew } = ensureAdminKey(openHome(config.home))
        env['ADMIN_API_KEY'] = key
        if (isNew) await reportAs('api', 'info', `A first admin key was made and is kept in ${path}`)
      }
      const { runApi } = await import('../../../api/src/run-api.js')
      await runApi(env)
    })
}
