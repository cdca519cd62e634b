import type { Command } from 'commander'

/** Adds what every command that asks the API takes. */
export function withConnection(command: Command): Command {
  return command
    .option('--url <url>', 'base URL of the API (default: the one that runs here, or http://HOST:PORT)')
    .option('--api-key <key>', 'API key (default: MEMORYGUARD_API_KEY, ADMIN_API_KEY or the key in MEMORYGUARD_HOME)')
    .option('--json', 'print the answer as JSON')
}
