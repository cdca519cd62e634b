import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, CommanderError } from 'commander'
import { expect, it } from 'vitest'
import { createProgram } from '../../apps/cli/src/program.js'
import { commandsOf, documents, documentText } from '../support/document-commands.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

/** Where the program begins in a command, with what stands before it. */
const start = /^(?:[A-Z_]+=\S+ )*(?:.* -- |docker compose exec \S+ )?(?:npx )?memoryguard( |$)/

/** The words of a command up to a pipe or a comment, without their quotes. */
const wordsOf = (text: string): readonly string[] =>
  [...text.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
    .map(([word, single, double]) => single ?? double ?? word)
    .reduce<{ words: string[]; isOver: boolean }>(
      ({ words, isOver }, word) =>
        isOver || /^([|#>]|&&|;)/.test(word) ? { words, isOver: true } : { words: [...words, word], isOver },
      { words: [], isOver: false },
    ).words

const quiet = (command: Command): Command => {
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
  command.commands.forEach(quiet)
  return command
}

/** What the command line would reject in a command; undefined if nothing. */
const faultOf = (words: readonly string[], isWhole: boolean): string | undefined => {
  let command = quiet(createProgram())
  let rest = words
  for (;;) {
    const next = command.commands.find((each) => each.name() === rest[0] || each.aliases().includes(rest[0] ?? ''))
    if (next === undefined) break
    command = next
    rest = rest.slice(1)
  }
  try {
    const { operands, unknown } = command.parseOptions([...rest])
    const given = [...operands, ...unknown]
    const flags = given.filter((word) => word.startsWith('-') && word !== '--help')
    if (flags.length > 0) return `has no ${flags.join(' ')}`
    if (given.length > 0 && command.commands.length > 0 && operands.length > 0) return `has no command ${operands[0]}`
    const needed = command.registeredArguments.filter(({ required }) => required).length
    return isWhole && operands.length < needed ? `needs ${needed} arguments` : undefined
  } catch (error) {
    const isShown = error instanceof CommanderError && error.exitCode === 0
    return isShown ? undefined : String(error)
  }
}

/** What stands between backticks in a line. */
const spansOf = (text: string): readonly string[] =>
  [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)

it.each(documents)('%s shows commands and options that memoryguard has', (path) => {
  const text = documentText(path)
  const faults = [
    ...commandsOf(text).map((command) => ({ command, isWhole: true })),
    ...spansOf(text).map((command) => ({ command, isWhole: false })),
  ]
    .filter(({ command }) => start.test(command) && !command.endsWith(' ...'))
    .map(({ command, isWhole }) => {
      const fault = faultOf(wordsOf(command.replace(start, '').replaceAll(/[[\]]/g, '')), isWhole)
      return fault === undefined ? undefined : `${command}: ${fault}`
    })
  expect(faults.filter((fault) => fault !== undefined)).toEqual([])
})

it('a command that does not exist, an option that does not, and an argument that is missing are found', () => {
  expect(faultOf(['modls', 'list'], true)).toBe('has no command modls')
  expect(faultOf(['models', 'lst'], true)).toBe('has no command lst')
  expect(faultOf(['worker', '--queue', 'batch'], true)).toBe('has no --queue')
  expect(faultOf(['schedules', 'show'], true)).toBe('needs 1 arguments')
  expect(faultOf(wordsOf(`worker -Q "predictions" -c 4 | cat --none`), true)).toBeUndefined()
})

it.each(documents)('%s names scripts of npm and projects of Vitest that exist', (path) => {
  const text = documentText(path)
  const commands = [...commandsOf(text), ...spansOf(text)]
  const named = commands.flatMap((command) =>
    [...command.matchAll(/(?:^| )npm (?:run )?([a-z][\w:-]*)|^(bench:[\w-]+)/g)].map(
      ([, name, bench]) => name ?? bench,
    ),
  )
  const known = new Set([...Object.keys(scripts), 'install', 'ci'])
  expect(named.filter((name) => !known.has(name ?? ''))).toEqual([])
  const config = readFileSync(join(root, 'vitest.config.ts'), 'utf8')
  for (const [, project] of text.matchAll(/--project ([\w-]+)/g)) expect(config).toContain(`project('${project}'`)
})

/** The anchor of a heading, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

it.each(documents)('%s links to what exists', (path) => {
  const text = documentText(path).replaceAll(/```.*?```/gs, '')
  const broken = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file)
      if (!existsSync(join(root, target))) return true
      if (anchor === undefined || !target.endsWith('.md')) return false
      const headings = [...readFileSync(join(root, target), 'utf8').matchAll(/^#+ (.*)$/gm)]
      return !headings.some(([, heading = '']) => anchorOf(heading) === anchor)
    })
  expect(broken).toEqual([])
})

it.each(documents)('%s names files of the repository that exist', (path) => {
  const files = spansOf(documentText(path)).filter((span) =>
    /^(apps|bench|bin|deploy|docs|libs|test)\/[\w./-]+$/.test(span),
  )
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})

it('the index of the documents names each of them', () => {
  const index = documentText('docs/README.md')
  const pages = documents.filter((path) => /^docs\/(?!README)[^/]+$/.test(path))
  expect(pages.filter((path) => !index.includes(`(${path.slice(5)})`))).toEqual([])
})
