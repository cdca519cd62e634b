import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { openForm } from './upload-form.js'

const headers = { 'content-type': 'multipart/form-data; boundary=XX' }
const part = (disposition: string, content: string, type = 'text/csv') =>
  `--XX\r\ncontent-disposition: form-data; ${disposition}\r\ncontent-type: ${type}\r\n\r\n${content}\r\n`
const file = part('name="file"; filename="a.csv"', 'user_id,age\n1,70\n')

const read = async (...pieces: readonly string[]) => {
  const form = await openForm(Readable.from(pieces.map((piece) => Buffer.from(piece))), headers)
  let text = ''
  for await (const bytes of form.stream) text += String(bytes)
  return { name: form.name, type: form.type, text }
}

describe('D6: a form', () => {
  it('gives its one file, however it is cut', async () => {
    const expected = { name: 'a.csv', type: 'text/csv', text: 'user_id,age\n1,70\n' }
    expect(await read(`${file}--XX--\r\n`)).toEqual(expected)
    expect(await read(...Array.from(`${file}--XX--\r\n`))).toEqual(expected)
  })

  it.each([
    ['a field before the file', part('name="model"', 'caide', 'text/plain') + file, 'one file and nothing else'],
    ['a field after the file', file + part('name="model"', 'caide', 'text/plain'), 'one file and nothing else'],
    ['two files', file + file, 'one file and nothing else'],
    ['no file', '', 'holds no file'],
  ])('is refused with %s', async (_name, body, words) => {
    await expect(read(`${body}--XX--\r\n`)).rejects.toMatchObject({
      code: 'REQUEST_MALFORMED',
      message: expect.stringContaining(words),
    })
  })

  it.each([
    ['in the file', file.slice(0, -10)],
    ['in a header', file.slice(0, 20)],
    ['before its end', file],
  ])('is refused if it ends %s', async (_name, body) => {
    await expect(read(body)).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' })
  })

  it('is refused if its sender hangs up, and without a boundary', async () => {
    const body = new PassThrough()
    body.on('error', () => undefined)
    const opened = openForm(body, headers)
    body.write(file)
    const { stream } = await opened
    const text = (async () => {
      for await (const bytes of stream) expect(bytes).toBeDefined()
    })()
    body.destroy(new Error('aborted'))
    await expect(text).rejects.toThrow('The upload was cut off.')
    await expect(
      Promise.resolve().then(() => openForm(Readable.from([]), { 'content-type': 'multipart/form-data' })),
    ).rejects.toThrow('no boundary')
  })
})
