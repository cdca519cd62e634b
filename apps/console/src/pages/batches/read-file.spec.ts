import { describe, expect, it } from 'vitest'
import { countRows, readBegin, RowCounter } from './read-file.ts'

const never = new AbortController().signal

const gzip = async (text: string) =>
  new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer())

describe('the begin of a file', () => {
  it('is read as UTF-8, UTF-16 or Windows-1252, whatever it is', async () => {
    const begin = (bytes: Uint8Array<ArrayBuffer>) => readBegin(new File([bytes], 'people.csv'))
    const utf16 = Uint8Array.of(
      0xff,
      0xfe,
      ...new Uint8Array(Uint16Array.from('age', (char) => char.charCodeAt(0)).buffer),
    )
    expect(await begin(new TextEncoder().encode('Größe'))).toMatchObject({ text: 'Größe', charset: 'utf-8' })
    expect(await begin(utf16)).toMatchObject({ text: 'age', charset: 'utf-16' })
    expect(await begin(Uint8Array.of(0x47, 0x72, 0xf6, 0xdf, 0x65))).toMatchObject({
      text: 'Größe',
      charset: 'windows-1252',
    })
  })

  it('is a part of a large file, even if it cuts a character', async () => {
    const begin = await readBegin(new File(['x' + 'ö'.repeat(200_000)], 'people.csv'))
    expect(begin).toMatchObject({ isWhole: false, charset: 'utf-8' })
    expect(begin.text.length).toBeLessThan(140_000)
  })

  it('is unpacked', async () => {
    const file = new File([await gzip('user_id,age\n1,72\n')], 'people.csv.gz')
    expect(await readBegin(file)).toMatchObject({ text: 'user_id,age\n1,72\n', isWhole: true })
  })

  it.each([
    [new File(['PK\u0003\u0004'], 'people.csv'), 'workbook'],
    [new File([], 'people.csv'), 'empty'],
    [new File(['no gzip'], 'people.csv.gz'), 'cannot be unpacked'],
  ])('says what is wrong with it', async (file, words) => {
    await expect(readBegin(file)).rejects.toThrow(words)
  })
})

describe('the rows of a file', () => {
  const count = async (text: string | Uint8Array<ArrayBuffer>, name = 'people.csv') => {
    const file = new File([text], name)
    return countRows(file, await readBegin(file), never)
  }

  it('are counted without the header, blank lines and line ends in quotes', async () => {
    expect(await count('user_id,note\r\n1,a\r\n\r\n2,"b\nc"\r\n3,d')).toBe(3)
    expect(await count('{}\n{}\n', 'people.ndjson')).toBe(2)
    expect(await count(await gzip('user_id\n1\n2\n'), 'people.csv.gz')).toBe(2)
  })

  it('are counted up to the first that is too many', async () => {
    expect(await count(`user_id\n${'1\n'.repeat(1_000_000)}`)).toBe(1_000_000)
    expect(await count(`user_id\n${'1\n'.repeat(1_000_001)}`)).toBe(1_000_001)
  })

  it('are the same however the pieces are cut', () => {
    const bytes = new TextEncoder().encode('a\r\n"b\n""c"\n\nd')
    const counter = new RowCounter()
    for (const byte of bytes) counter.add(Uint8Array.of(byte))
    expect(counter.end()).toBe(3)
  })
})
