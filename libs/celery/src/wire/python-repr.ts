/** What Python's `repr` shows of a value that came as JSON, and of a set. */
export const pythonRepr = (value: unknown): string => {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'string') return textRepr(value)
  if (typeof value === 'number') return numberRepr(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object') return 'None'
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`
  if (value instanceof Set) return value.size === 0 ? 'set()' : `{${[...value].map(pythonRepr).join(', ')}}`
  return `{${Object.entries(value)
    .map(([name, member]) => `${textRepr(name)}: ${pythonRepr(member)}`)
    .join(', ')}}`
}

const numberRepr = (value: number): string => {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  // Python writes small fractions with an exponent earlier than JavaScript, and exponents with two digits.
  const text = size > 0 && size < 1e-4 ? value.toExponential() : String(value)
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

const shortEscapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Characters that Python does not print: controls, separators other than the space, and unassigned ones. */
const unprintable = /[\\]|(?! )[\p{C}\p{Z}]/gu

const textRepr = (text: string): string => {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(unprintable, (character) => shortEscapes[character] ?? codeEscape(character))
  return quote + (quote === "'" ? escaped.replaceAll("'", String.raw`\'`) : escaped) + quote
}

const codeEscape = (character: string): string => {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  if (code.length <= 2) return String.raw`\x${code.padStart(2, '0')}`
  return code.length <= 4 ? String.raw`\u${code.padStart(4, '0')}` : String.raw`\U${code.padStart(8, '0')}`
}
