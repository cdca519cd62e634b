import { Readable } from 'node:stream'
import { ModelCatalogue, readModelFolder } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkRow } from './check-row.js'
import { readCsvRows, readNdjsonRows, toItem, type RawRow } from './row-sources.js'
import { maxRecordLength, readUploadText } from './upload-text.js'

let catalogue: ModelCatalogue

beforeAll(async () => {
  const models = await Promise.all(['impairment-screen', 'caide'].map((name) => readModelFolder(`models/${name}/1`)))
  catalogue = new ModelCatalogue(models, 'impairment-screen')
})

const manifestOf = (model?: string) => catalogue.getRiskModel(model).manifest

/** Bytes cut in pieces of seven, so that characters and line ends fall apart. */
const upload = (bytes: Buffer | string): AsyncGenerator<string> => {
  const buffer = Buffer.from(bytes)
  const pieces = Array.from({ length: Math.ceil(buffer.length / 7) }, (_, index) =>
    buffer.subarray(index * 7, index * 7 + 7),
  )
  return readUploadText(Readable.from(pieces), () => undefined)
}

const collect = async (source: AsyncIterable<readonly RawRow[]>): Promise<RawRow[]> => {
  const rows: RawRow[] = []
  for await (const some of source) rows.push(...some)
  return rows
}

const readCsv = (bytes: Buffer | string, model?: string) =>
  collect(readCsvRows(upload(bytes), manifestOf(model), catalogue))
const readNdjson = (bytes: string) => collect(readNdjsonRows(upload(bytes)))

const failure = async (work: Promise<unknown>): Promise<MemoryGuardError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof MemoryGuardError)) throw new Error('It did not fail as expected', { cause: error })
  return error
}
const messages = ({ faults }: MemoryGuardError) => faults.map(({ pointer, message }) => `${pointer} ${message}`)

describe('rows of a CSV file', () => {
  it('are people and metrics; an empty cell is missing, a word stays a word', async () => {
    expect(await readCsv('﻿user_id,age, mmse_score ,sex\r\n1,72,"24",female\r\n2,,+2.5e1,\r\n')).toEqual([
      { line: 2, userId: 1, metrics: { age: 72, mmse_score: 24, sex: 'female' } },
      { line: 3, userId: 2, metrics: { mmse_score: 25 } },
    ])
  })

  it('fail alone if their fields do not match the header or their quotes are misplaced', async () => {
    expect(await readCsv('user_id,age\n1\n2,3,4\n3,7"0\n4,70\n')).toEqual([
      { line: 2, fault: 'has 1 fields, and the header has 2' },
      { line: 3, fault: 'has 3 fields, and the header has 2' },
      { line: 4, fault: 'a quote may stand only around a whole field' },
      { line: 5, userId: 4, metrics: { age: 70 } },
    ])
  })

  it.each([
    ['a column twice', 'user_id,age,age\n', '/3 the column stands here twice'],
    ['an unknown column', 'user_id,age,mood\n', /^\/3 the column is no known metric. Known are user_id, .*mmse_score/],
    ['no user_id', 'age\n70\n', '/ a column user_id is needed'],
    ['no column the model uses', 'user_id,bmi\n', /^\/ a column is needed that impairment-screen uses: mmse_score/],
    ['other separators', 'user_id;age\n', '/1 separate columns with commas'],
  ])('need a header they can be read by: %s', async (_name, text, expected) => {
    const error = await failure(readCsv(text))
    expect(error.code).toBe('REQUEST_INVALID')
    expect(messages(error)).toContainEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
  })

  it('need the columns that the model cannot do without', async () => {
    const [needed] = manifestOf('caide').inputs.filter(({ required }) => required)
    const error = await failure(readCsv('user_id,bmi\n', 'caide'))
    expect(messages(error)).toContain(`/ a column ${needed?.name} is needed`)
  })

  it.each([
    ['Latin-1', Buffer.from('user_id,age\n1,70\xe9\n', 'latin1'), 'It is no UTF-8'],
    ['UTF-16', Buffer.from('\ufeffuser_id,age\n1,70\n', 'utf16le'), 'It is no UTF-8'],
    ['a binary file', Buffer.from('PK\x03\x04\x00\x00\x00', 'latin1'), 'it is a binary file'],
    ['an end inside a character', Buffer.from([0x61, 0xc3]), 'It is no UTF-8'],
    ['a quote in the header that never closes', 'user_id,"age\n1,2\n', 'Line 1: The quote'],
    ['a misplaced quote in the header', 'user_id,a"ge\n1,2\n', 'Line 1: a quote'],
  ])('are not looked for in %s', async (_name, bytes, words) => {
    const error = await failure(readCsv(bytes))
    expect(error.code).toBe('REQUEST_MALFORMED')
    expect(error.message).toContain(words)
    expect(error.message).toContain('Nothing was kept.')
  })

  it('end with an upload that is cut off', async () => {
    const stream = new Readable({ read: () => undefined })
    const work = failure(
      collect(
        readCsvRows(
          readUploadText(stream, () => undefined),
          manifestOf(),
          catalogue,
        ),
      ),
    )
    stream.push('user_id,age\n1,')
    stream.destroy(new Error('aborted'))
    expect((await work).message).toBe('The upload was cut off; nothing was kept.')
  })
})

describe('rows of an NDJSON file', () => {
  it('are objects on lines; a bad line fails alone', async () => {
    const text = '{"user_id":1,"health_metrics":{"age":70}}\n\n{"user_id":\n[1]\n{"user_id":2,"metrics":{}}\r\n'
    expect(await readNdjson(text)).toEqual([
      { line: 1, userId: 1, metrics: { age: 70 } },
      { line: 3, fault: 'is no JSON' },
      { line: 4, fault: 'must be an object with user_id, health_metrics' },
      { line: 5, fault: 'may have only user_id, health_metrics' },
    ])
  })

  it('have an end within reach', async () => {
    const error = await failure(readNdjson(`{}\n"${'x'.repeat(maxRecordLength)}`))
    expect(error.message).toBe(`Line 2: The line is longer than ${maxRecordLength} characters. Nothing was kept.`)
  })
})

describe('a checked row', () => {
  const check = (userId: unknown, metrics: unknown) => checkRow({ line: 9, userId, metrics }, manifestOf(), catalogue)

  it('is a person with numbers and warnings', () => {
    expect(check(7, { sex: 'male', mmse_score: 20, cdr: 1 })).toEqual({
      line: 9,
      userId: 7,
      metrics: { sex: 1, mmse_score: 20, cdr: 1 },
      warnings: ['cdr is stored but not used by impairment-screen'],
    })
  })

  it.each([[0], [-1], [1.5], ['1'], [null], [undefined], [2 ** 53]])('names no person by %s', (userId) => {
    expect(check(userId, { age: 70 })).toMatchObject({ line: 9, user_id: null, code: 'REQUEST_INVALID' })
  })

  it.each([
    [undefined, 'health_metrics must be an object'],
    [[1], 'health_metrics must be an object'],
    [{ age: null }, 'age must be a number; leave out'],
    [{ age: { of: 1 } }, 'age must be a number; leave out'],
    [{}, 'health_metrics must hold at least one of'],
    [{ mmse_score: 31.337 }, 'mmse_score must be a whole number from 0 to 30'],
    [{ mmse_score: 'canary' }, 'mmse_score must be a whole number from 0 to 30'],
    [{ '31.337 canary': 1, age: 31_337 }, 'a metric is no known metric'],
  ])('fails with words that never hold its values: %j', (metrics, words) => {
    const row = check(7, metrics)
    expect(row).toMatchObject({ line: 9, user_id: 7, message: expect.stringContaining(words) })
    expect(JSON.stringify(row)).not.toMatch(/canary|31/)
  })

  it('may come as an item of JSON', () => {
    expect(checkRow(toItem(3, { user_id: 1, health_metrics: { age: 70 } }), manifestOf(), catalogue)).toMatchObject({
      line: 3,
      userId: 1,
    })
  })
})
