import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import type { RestClient, RestRequest } from '../client/rest-client.js'
import { print, printJson } from '../output.js'

/** What a command shows: `json` with `--json`, otherwise the lines. */
interface Shown {
  readonly json: unknown
  readonly lines: readonly string[]
}

/** Values of the flags of every command that calls the API. */
export type CommonFlags = ConnectionFlags & { readonly json?: true }

/** A command that consists of others. */
export const group = (name: string, description: string, commands: readonly Command[]): Command =>
  commands.reduce((parent, command) => parent.addCommand(command), new Command(name).description(description))

/** Adds the flags of every command that calls the API. */
export const withConnection = (command: Command): Command =>
  command
    .option('--url <url>', 'base URL of the API (default: the one that runs here, or http://HOST:PORT)')
    .option('--api-key <key>', 'API key (default: MEMORYGUARD_API_KEY, ADMIN_API_KEY or the key in MEMORYGUARD_HOME)')
    .option('--json', 'print the response as JSON')

type Run<Args, Flags> = (client: RestClient, args: Args, flags: Flags & CommonFlags) => Promise<Shown | void>

/** Gives a command those flags and what it does; what `run` returns is printed. */
export const callsApi = <Args extends readonly unknown[], Flags extends object>(
  command: Command,
  run: Run<Args, Flags>,
): Command =>
  withConnection(command).action(async (...given: unknown[]) => {
    const flags = given.at(-2) as Flags & CommonFlags
    const { connect } = await import('../client/connect.js')
    const shown = await run(connect(flags), given.slice(0, -2) as unknown as Args, flags)
    if (shown && flags.json) printJson(shown.json)
    else shown?.lines.forEach((line) => print(line))
  })

/** A request, and how its response is shown. */
interface Exchange<Args extends readonly unknown[], Flags extends object, Body> {
  readonly request: (args: Args, flags: Flags) => RestRequest
  readonly show: (body: Body, args: Args) => readonly string[]
  /** What `--json` prints where the response has no body. */
  readonly json?: (args: Args) => unknown
}

/** Gives a command the flags of the API's clients and the one request that it sends. */
export const sends = <Args extends readonly unknown[], Flags extends object, Body>(
  command: Command,
  { request, show, json }: Exchange<Args, Flags, Body>,
): Command =>
  callsApi(command, async (client, args: Args, flags: Flags) => {
    const { body } = await client.send(request(args, flags))
    return { json: json ? json(args) : body, lines: show(body as Body, args) }
  })

/** A path in which the inserted values are encoded. */
export const path = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  String.raw({ raw: parts }, ...values.map(encodeURIComponent))
