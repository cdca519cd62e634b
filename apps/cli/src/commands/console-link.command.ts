import { Command } from 'commander'
import { callsApi } from './api-command.js'

/** `memoryguard console-link`: signs in a browser. */
export const consoleLinkCommand = (): Command =>
  callsApi(
    new Command('console-link').description('print a link that signs in a browser once, with your API key'),
    async (client) => {
      const { makeConsoleLink } = await import('../client/console-link.js')
      const { url, expiresAt } = await makeConsoleLink(client)
      const lines = [url, `It can be used once, until ${expiresAt}.`]
      return { json: { url, expires_at: expiresAt }, lines }
    },
  )
