const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null

const wordsOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value)

const isWord = (value: unknown): boolean => !isGroup(value) && !wordsOf(value).includes(' ')

/** A report as text: a name and its value on a line, what a group holds below it and indented. */
export const toText = (value: object, indent = ''): string => {
  const lines = Array.isArray(value)
    ? value.map((item: unknown) => [`${indent}-`, item] as const)
    : Object.entries(value).map(([name, item]: [string, unknown]) => [`${indent}${name}:`, item] as const)
  return lines
    .map(([head, item]) => {
      if (!isGroup(item)) return `${head} ${wordsOf(item).replaceAll('\n', `\n${indent}  `)}`.trimEnd()
      if (Object.keys(item).length === 0) return `${head} none`
      if (Array.isArray(item) && item.every(isWord)) return `${head} ${item.map(wordsOf).join(', ')}`
      return `${head}\n${toText(item, `${indent}  `)}`
    })
    .join('\n')
}
