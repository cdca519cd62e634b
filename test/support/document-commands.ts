/** The blocks of a document in a language, as printed. */
export const blocksOf = (text: string, language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block.trim())

/** The lines of its shell blocks, those that a backslash continues put together. */
export const commandsOf = (text: string): readonly string[] =>
  blocksOf(text, 'sh').flatMap((block) => block.split(/(?<!\\)\n/))
