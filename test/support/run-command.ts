import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Stack } from './stack.js'

/** The program of the built product. */
export const main = fileURLToPath(new URL('../../dist/bin/memoryguard.js', import.meta.url))

export interface CommandResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a command of the program to its end. */
export const runCommand = async (
  args: readonly string[],
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): Promise<CommandResult> => {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { out: '', err: '' }
  child.stdout.on('data', (data: Buffer) => (output.out += data.toString()))
  child.stderr.on('data', (data: Buffer) => (output.err += data.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** Runs a command as the administrator of a stack. */
export const runAsAdmin = (stack: Stack, ...args: readonly string[]): Promise<CommandResult> =>
  runCommand([...args, '--url', stack.url, '--api-key', stack.key])
