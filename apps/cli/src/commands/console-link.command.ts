import { Command } from 'commander'
import { callsApi } from './api-command.js'

/** `memoryguard console-link`: signs in a browser. */
export const consoleLinkCommand = (): Command =>
  callsApi(
    new Command('console-link').description('print a link that signs in a browser once, with your API key'),
    async (client, _args, flags) => {
      const { loadConfig, readEnvironment } = await import('#libs/platform')
      const { makeConsoleLink } = await import('../client/console-link.js')
      // A URL that is named on the command line may be that of another API than the settings are about.
      const publicUrl = flags.url ?? loadConfig(readEnvironment()).http.publicUrl
      const { url, expiresAt } = await makeConsoleLink(client, { publicUrl })
      const lines = [url, `It can be used once, until ${expiresAt}.`]
      return { json: { url, expires_at: expiresAt }, lines }
    },
  )
