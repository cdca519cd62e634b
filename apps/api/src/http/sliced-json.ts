import { SlicedList, maxPieceEntries } from '#libs/calls'
import { MemoryGuardError, Slices } from '#libs/platform'
import { endOfValue, tooDeep } from './json-values.js'
import { pointerOf } from './problem.js'

/** The entry that makes a piece of a list this long, in characters, is its last. */
const pieceLength = 16_384
/** Longest entry of a list, and longest member that is no list, in characters. */
const maxValueLength = 65_536
/** Most members that are kept. No schema knows as many: a body with more is refused for the first of them. */
const maxMembers = 1_000

/** The name of a member whose value is a list, with the bracket that opens it. */
const listHead = /^\s*"(?:[^"\\]|\\.)*"\s*:\s*\[/

/**
 * Parses the JSON of a body whose members may be long lists, in slices between which other requests have their turn.
 * Such a list becomes a `SlicedList`, of which the text alone is held in memory.
 * @param parse Parses one value. It throws for what is no JSON.
 * @throws MemoryGuardError REQUEST_MALFORMED, and REQUEST_INVALID for a value that is too long.
 */
export const parseSliced = (text: string, parse: (text: string) => unknown): Promise<unknown> =>
  new SlicedParser(text, parse).parseBody()

class SlicedParser {
  private readonly slices = new Slices()
  private at = 0

  constructor(
    private readonly text: string,
    private readonly parse: (text: string) => unknown,
  ) {}

  async parseBody(): Promise<unknown> {
    if (this.text.startsWith('\ufeff')) this.at = 1
    let body: unknown
    if (this.take('{')) body = await this.parseMembers()
    else if (this.take('[')) {
      await this.parseList([], 1)
      // No route takes a list, and so none needs to see it.
      body = []
    } else body = this.parse(this.takeValue([], 0))
    this.skipSpace()
    if (this.at < this.text.length) throw malformed()
    return body
  }

  private async parseMembers(): Promise<Readonly<Record<string, unknown>>> {
    const members = new Map<string, unknown>()
    if (this.take('}')) return {}
    do {
      const [name, value] = await this.parseMember()
      if (members.size < maxMembers || members.has(name)) members.set(name, value)
      if (this.slices.isOver()) await this.slices.next()
    } while (this.take(','))
    if (!this.take('}')) throw malformed()
    return Object.fromEntries(members)
  }

  private async parseMember(): Promise<readonly [name: string, value: unknown]> {
    const head = listHead.exec(this.text.slice(this.at, this.at + maxValueLength))?.[0]
    // Parsed within its braces, a name that nobody may use is refused.
    const [member, ...others] = Object.entries(Object(this.parse(`{${head ? `${head}]` : this.takeValue([], 1)}}`)))
    if (!member || others.length > 0) throw malformed()
    if (!head) return member
    this.at += head.length
    return [member[0], await this.parseList([member[0]], 2)]
  }

  /** Behind its opening bracket. */
  private async parseList(path: readonly string[], depth: number): Promise<SlicedList> {
    const pieces: (readonly [start: number, end: number])[] = []
    let length = 0
    for (let isLast = false; !isLast;) {
      const start = this.at
      let entries = 0
      do {
        this.takeValue([...path, length + entries], depth)
        entries += 1
        isLast = !this.take(',')
      } while (!isLast && entries < maxPieceEntries && this.at - start < pieceLength)
      const end = isLast ? this.at : this.at - 1
      const parsed = this.parse(`[${this.text.slice(start, end)}]`) as readonly unknown[]
      // Of a list without entries the first is empty.
      if (parsed.length !== entries && !(isLast && length === 0)) throw malformed()
      if (parsed.length > 0) pieces.push([start, end])
      length += parsed.length
      if (this.slices.isOver()) await this.slices.next()
    }
    if (!this.take(']')) throw malformed()
    const { text } = this
    return new SlicedList(length, function* () {
      for (const [start, end] of pieces) yield JSON.parse(`[${text.slice(start, end)}]`) as readonly unknown[]
    })
  }

  /** The text of the value that starts here, up to the comma or bracket behind it. */
  private takeValue(path: readonly PropertyKey[], depth: number): string {
    const start = this.at
    const end = endOfValue(this.text, start, depth, maxValueLength + 1)
    if (end === undefined) throw tooDeep()
    if (end - start > maxValueLength) throw tooLong(path)
    this.at = end
    return this.text.slice(start, end)
  }

  /** Goes behind the character if it is the next one. */
  private take(char: string): boolean {
    this.skipSpace()
    if (this.text[this.at] !== char) return false
    this.at += 1
    return true
  }

  private skipSpace(): void {
    if (!isSpace(this.text.charCodeAt(this.at))) return
    const next = /[^ \n\r\t]/g
    next.lastIndex = this.at
    this.at = next.exec(this.text)?.index ?? this.text.length
  }
}

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9

/** As the framework says it. */
const malformed = () => Object.assign(new Error('The body is no JSON'), { code: 'FST_ERR_CTP_INVALID_JSON_BODY' })

const tooLong = (path: readonly PropertyKey[]): MemoryGuardError => {
  const message = `must have at most ${maxValueLength} characters`
  return new MemoryGuardError('REQUEST_INVALID', `A value of the body is too long; see \`errors\`.`, {
    faults: [{ pointer: pointerOf(path), message }],
  })
}
