/** A reply of Redis that is an error, in the server's own words. */
export class RedisReplyError extends Error {
  /** The first word, such as NOAUTH. */
  get kind(): string {
    return this.message.split(' ', 1)[0] ?? ''
  }
}

/** The server speaks another protocol. */
export class ForeignProtocolError extends Error {
  constructor(readonly firstBytes: Buffer) {
    super('The reply is not in the protocol of Redis.')
  }
}

export type RedisReply = string | number | null | RedisReplyError | readonly RedisReply[]

/** A command as Redis reads it (RESP 2). */
export const encodeCommand = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/**
 * Reads the first reply in some bytes, and returns where it ends; undefined if more bytes are to come.
 * @throws ForeignProtocolError
 */
export const readReply = (
  bytes: Buffer,
  from = 0,
): { readonly reply: RedisReply; readonly end: number } | undefined => {
  if (bytes.length > from && !'+-:$*'.includes(String.fromCharCode(bytes[from] ?? 0))) {
    throw new ForeignProtocolError(bytes.subarray(from))
  }
  const lineEnd = bytes.indexOf('\r\n', from)
  if (lineEnd === -1) return undefined
  const kind = bytes.toString('latin1', from, from + 1)
  const line = bytes.toString('utf8', from + 1, lineEnd)
  const end = lineEnd + 2
  switch (kind) {
    case '+':
      return { reply: line, end }
    case '-':
      return { reply: new RedisReplyError(line), end }
    case ':':
      return { reply: Number(line), end }
    case '$':
      return readText(bytes, Number(line), end)
    default:
      return readList(bytes, Number(line), end)
  }
}

const readText = (bytes: Buffer, length: number, from: number) => {
  if (length < 0) return { reply: null, end: from }
  if (bytes.length < from + length + 2) return undefined
  return { reply: bytes.toString('utf8', from, from + length), end: from + length + 2 }
}

const readList = (bytes: Buffer, length: number, from: number) => {
  const replies: RedisReply[] = []
  let end = from
  while (replies.length < length) {
    const next = readReply(bytes, end)
    if (!next) return undefined
    replies.push(next.reply)
    end = next.end
  }
  return { reply: replies, end }
}
