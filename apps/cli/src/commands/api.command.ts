import { Command } from 'commander'

interface ApiFlags {
  readonly port?: string
  readonly host?: string
}

/** `memoryguard api`: the HTTP API alone, in this process. */
export const apiCommand = (): Command => {
  return new Command('api')
    .description('run the HTTP API')
    .option('-p, --port <port>', 'port to listen on (default: PORT, or the first free one from 3000 on)')
    .option('--host <address>', 'address to listen on (default: HOST, or 127.0.0.1)')
    .action(async ({ port, host }: ApiFlags) => {
      const { loadConfig, readEnvironment } = await import('#libs/platform')
      const { findAdminKey, keepAdminKey } = await import('../start/admin-key.js')
      const { openHome } = await import('#libs/embedded-postgres')
      const env = readEnvironment()
      if (port !== undefined) env['PORT'] = port
      if (host !== undefined) env['HOST'] = host
      const config = loadConfig(env)
      const { useRunningDatabase } = await import('../start/running-database.js')
      useRunningDatabase(env)
      // A key that the home keeps counts as configured.
      const kept = config.adminApiKey ?? findAdminKey(config.home)
      if (kept !== undefined) env['ADMIN_API_KEY'] = kept
      const { runApi } = await import('../../../api/src/run-api.js')
      await runApi(env, (key) => keepAdminKey(openHome(config.home), key))
    })
}
