import { Command } from 'commander'
import { print, printJson } from '../output.js'
import { group } from './api-command.js'

/** `memoryguard config print`: the configuration in force, secrets masked. */
export const configCommand = (): Command =>
  group('config', 'show the configuration', [
    new Command('print')
      .description('print every variable with its value in force; secrets are masked')
      .option('--json', 'as JSON')
      .action(async ({ json }: { readonly json?: true }) => {
        const { printableConfig, readEnvironment } = await import('#libs/platform')
        const values = printableConfig(readEnvironment())
        if (json) printJson(values)
        else for (const [name, value] of Object.entries(values)) print(`${name}=${value}`)
      }),
  ])
