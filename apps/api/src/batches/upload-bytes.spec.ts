import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGzip, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readBytes, readFileBytes } from './upload-bytes.js'

const read = async (bytes: Buffer, isGzip = false): Promise<Buffer> => {
  const pieces: Buffer[] = []
  for await (const piece of readFileBytes(readBytes(Readable.from([bytes])), isGzip)) pieces.push(piece)
  return Buffer.concat(pieces)
}

describe('D6: the bytes of a file', () => {
  it('are unpacked if they are gzip, whoever says so', async () => {
    const text = Buffer.from('user_id,age\n')
    expect(await read(gzipSync(text), true)).toEqual(text)
    expect(await read(gzipSync(text))).toEqual(text)
    expect(await read(Buffer.concat([gzipSync(text), gzipSync(text)]))).toEqual(Buffer.concat([text, text]))
    expect(await read(text)).toEqual(text)
    expect(await read(Buffer.alloc(0), true)).toEqual(Buffer.alloc(0))
    const noise = randomBytes(300_000).toString('hex')
    expect((await read(gzipSync(noise))).toString()).toBe(noise)
  })

  it.each([
    ['no gzip', Buffer.from('user_id,age\n'), 'Content-Encoding says gzip, but it is none.'],
    ['half of it', gzipSync(randomBytes(10_000)).subarray(0, 5_000), 'damaged or ends early'],
    ['damaged', Buffer.from('1f8b0800ffffffffffffffff', 'hex'), 'damaged or ends early'],
  ])('are refused if they are %s', async (_name, bytes, words) => {
    await expect(read(bytes, true)).rejects.toThrow(words)
    await expect(read(bytes, true)).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' })
  })

  it('are refused if they would fill the memory', async () => {
    const zeros = Buffer.alloc(1_048_576, '\n')
    const packed = Readable.from(
      (function* () {
        for (let count = 0; count < 200; count += 1) yield zeros
      })(),
    ).pipe(createGzip())
    let size = 0
    const work = (async () => {
      for await (const piece of readFileBytes(readBytes(packed), true)) size += piece.length
    })()
    await expect(work).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
      message: 'A packed file may unpack to at most 200 times its size. Split it; nothing was kept.',
    })
    expect(size).toBeLessThanOrEqual(33 * 1_048_576)
  })
})
