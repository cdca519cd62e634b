import { styleText } from 'node:util'

/** Commands that run until they are stopped. */
const longRunning = new Set(['start', 'api', 'worker'])

/**
 * A reader that has seen enough (`| head -1`) is no failure: the command ends quietly. Output that cannot be written for
 * another reason ends it with one sentence and exit code 1. A command that runs until it is stopped loses the line and continues.
 */
export const endQuietlyWithoutReader = (findCommand: () => string | undefined): void => {
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (longRunning.has(findCommand() ?? '')) return
    if (error.code !== 'EPIPE') warn(`The output could not be written: ${error.message}`)
    process.exit(error.code === 'EPIPE' ? (process.exitCode ?? 0) : 1)
  })
}

type Style = Parameters<typeof styleText>[0]

/** Control characters other than line breaks, tabs and the codes of `styled`. */
// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
const unsafe = /(?![\n\t])(?!\u001b\[\d+m)\p{Cc}/gu

const escaped = (char: string): string => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`

/** Text from elsewhere as a part of a line: whatever it holds, it neither ends the line nor steers the terminal. */
export const cell = (text: string): string => text.replaceAll(/\p{Cc}/gu, escaped)

/** A line on standard output. */
export const print = (line = ''): void => {
  process.stdout.write(`${line.replaceAll(unsafe, escaped)}\n`)
}

/** A line on standard error: warnings and failures, so that standard output stays readable for scripts. */
export const warn = (line: string): void => {
  process.stderr.write(`${line.replaceAll(unsafe, escaped)}\n`)
}

/** A value as JSON, for `--json`. */
export const printJson = (value: unknown): void => {
  print(JSON.stringify(value, null, 2))
}

/** Styled if standard output is a terminal which shows colours. */
export const styled = (style: Style, text: string): string =>
  process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text
