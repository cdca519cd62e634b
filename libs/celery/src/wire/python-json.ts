/**
 * JSON as Python's `json` module writes it: beyond the standard it has `NaN`, `Infinity` and `-Infinity`, and whole
 * numbers of any length. These become numbers of JavaScript, and whole numbers beyond 2^53 become `bigint`, so that what
 * is passed on is passed on unchanged.
 */

/** Deepest nesting that is read: Python's own `json` reads no deeper. */
const maxDepth = 1_000

export class JsonTooDeep extends SyntaxError {
  constructor() {
    super(`The JSON is nested more than ${maxDepth} deep`)
  }
}

/** A number of 16 digits and more may not fit; words that are no JSON begin like this. */
const needsCare = /[:[,\s](?:NaN|-?Infinity)|\d{16}/

/** @throws {SyntaxError} for what is no JSON of Python's. */
export const parsePythonJson = (text: string): unknown => {
  if (needsCare.test(text) || /^\s*(?:NaN|-?Infinity)/.test(text)) return new Reader(text).readAll()
  const value: unknown = JSON.parse(text)
  mustBeShallow(value, maxDepth)
  return value
}

/** `JSON.parse` reads any depth; what goes through the value later, step into step, would run out of stack. */
const mustBeShallow = (value: unknown, depth: number): void => {
  if (typeof value !== 'object' || value === null) return
  if (depth < 0) throw new JsonTooDeep()
  for (const member of Array.isArray(value) ? value : Object.values(value)) mustBeShallow(member, depth - 1)
}

/** A value that is passed on as the text in which it came: there Python's 4.0 differs from 4. */
export class JsonText {
  constructor(readonly text: string) {}
}

/** The text of a value that `parsePythonJson` gave, or of any other that JSON has. */
export const stringifyPythonJson = (value: unknown): string => {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number')
    return Number.isNaN(value)
      ? 'NaN'
      : Number.isFinite(value)
        ? JSON.stringify(value)
        : value > 0
          ? 'Infinity'
          : '-Infinity'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (value instanceof JsonText) return value.text
  if (value instanceof Date) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(stringifyPythonJson).join(', ')}]`
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}: ${stringifyPythonJson(member)}`).join(', ')}}`
}

const wordToken = /-?Infinity|NaN|null|true|false|-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const words: Readonly<Record<string, unknown>> = {
  NaN: Number.NaN,
  Infinity: Infinity,
  '-Infinity': -Infinity,
  null: null,
  true: true,
  false: false,
}

/** Reads the few texts that `JSON.parse` would reject or round. */
class Reader {
  private at = 0

  constructor(private readonly text: string) {}

  readAll(): unknown {
    const value = this.read(0)
    this.skipSpace()
    if (this.at < this.text.length) throw this.fault()
    return value
  }

  private read(depth: number): unknown {
    if (depth > maxDepth) throw new JsonTooDeep()
    this.skipSpace()
    if (this.accept('[')) return this.readList(depth)
    if (this.accept('{')) return this.readObject(depth)
    return this.text[this.at] === '"' ? this.readString() : this.readWord()
  }

  private readList(depth: number): unknown[] {
    const list: unknown[] = []
    if (this.accept(']')) return list
    do list.push(this.read(depth + 1))
    while (this.accept(','))
    this.expect(']')
    return list
  }

  private readObject(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = []
    if (this.accept('}')) return {}
    do {
      this.skipSpace()
      const name = this.readString()
      this.expect(':')
      entries.push([name, this.read(depth + 1)])
    } while (this.accept(','))
    this.expect('}')
    return Object.fromEntries(entries)
  }

  /** By hand: a regular expression runs out of stack on a string of megabytes. */
  private readString(): string {
    const start = this.at
    if (this.text[start] !== '"') throw this.fault()
    let end = this.text.indexOf('"', start + 1)
    while (end >= 0 && this.isEscaped(end)) end = this.text.indexOf('"', end + 1)
    if (end < 0) throw this.fault()
    this.at = end + 1
    return JSON.parse(this.text.slice(start, this.at)) as string
  }

  private isEscaped(at: number): boolean {
    let backslashes = 0
    while (this.text[at - 1 - backslashes] === '\\') backslashes += 1
    return backslashes % 2 === 1
  }

  private readWord(): unknown {
    const token = this.match(wordToken)
    if (!token) throw this.fault()
    const [word, fraction, exponent] = token
    if (Object.hasOwn(words, word)) return words[word]
    const number = Number(word)
    const isWhole = fraction === undefined && exponent === undefined
    return isWhole && !Number.isSafeInteger(number) ? BigInt(word) : number
  }

  private match(token: RegExp): RegExpExecArray | null {
    token.lastIndex = this.at
    const found = token.exec(this.text)
    if (found) this.at = token.lastIndex
    return found
  }

  private accept(character: string): boolean {
    this.skipSpace()
    if (this.text[this.at] !== character) return false
    this.at += 1
    return true
  }

  private expect(character: string): void {
    if (!this.accept(character)) throw this.fault()
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? '.')) this.at += 1
  }

  private fault(): SyntaxError {
    return new SyntaxError(`Unexpected text at character ${this.at} of the JSON`)
  }
}
