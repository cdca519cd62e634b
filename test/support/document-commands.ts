import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Every document for readers of this repository, by its path. */
export const documents: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CODE_OF_CONDUCT.md'],
  ...['docs', 'deploy'].flatMap((folder) =>
    (readdirSync(join(root, folder), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.md'))
      .map((file) => join(folder, file)),
  ),
]

/** The text of a document. */
export const documentText = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The blocks of a document in a language, as printed. */
export const blocksOf = (text: string, language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`\`\`(?:${language})\\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block.trim())

/** The lines of its shell blocks, those that a backslash continues put together. */
export const commandsOf = (text: string): readonly string[] =>
  blocksOf(text, 'sh|bash|shell|console')
    .flatMap((block) => block.split(/(?<!\\)\n\s*/))
    .filter((command) => command !== '')
