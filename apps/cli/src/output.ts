import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** A line on standard output. */
export function print(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** A line on standard error: warnings and failures, so that standard output stays readable for scripts. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** A value as JSON, for `--json`. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** Styled if standard output is a terminal which shows colours. */
export function styled(style: Style, text: string): string {
  return process.stdout.isTTY && process.stdout.hasColors() ? styleText(style, text) : text
}
