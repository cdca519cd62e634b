import { checkRow, toItem, type RawRow } from '#libs/calls'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { ModelCatalogue, readModelFolder } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { beforeAll, describe, expect, it } from 'vitest'
import { MissingValues } from './cells.js'
import { readCsvRows, readNdjsonRows } from './row-sources.js'
import { readBytes, readFileBytes } from './upload-bytes.js'
import { maxRecordLength, readUploadText } from './upload-text.js'

let catalogue: ModelCatalogue

beforeAll(async () => {
  const models = await Promise.all(['impairment-screen', 'caide'].map((name) => readModelFolder(`models/${name}/1`)))
  catalogue = new ModelCatalogue(models, 'impairment-screen')
})

const manifestOf = (model?: string) => catalogue.getRiskModel(model).manifest

/** Bytes cut in pieces of seven, so that characters and line ends fall apart. */
const upload = (bytes: Buffer | string, size = 7): AsyncGenerator<string> => {
  const buffer = Buffer.from(bytes)
  const pieces = Array.from({ length: Math.ceil(buffer.length / size) }, (_, index) =>
    buffer.subarray(index * size, index * size + size),
  )
  return readUploadText(readFileBytes(readBytes(Readable.from(pieces)), false))
}

const collect = async (source: AsyncIterable<readonly RawRow[]>): Promise<RawRow[]> => {
  const rows: RawRow[] = []
  for await (const some of source) rows.push(...some)
  return rows
}

const readCsv = (bytes: Buffer | string, model?: string, missing?: string, size?: number) =>
  collect(readCsvRows(upload(bytes, size), manifestOf(model), catalogue, new MissingValues(missing)))
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
    ['a column twice', 'user_id,age,age\n', '/3 the column "age" stands here twice'],
    [
      'an unknown column',
      'user_id,age,mood\n',
      /^\/3 the column "mood" is no known metric. Known are user_id, .*mmse_score/,
    ],
    ['no user_id', 'age\n70\n', '/ a column user_id is needed'],
    ['no column the model uses', 'user_id,bmi\n', /^\/ a column is needed that impairment-screen uses: mmse_score/],
    ['no header', '1,72,24\n', '/ the first line must name the columns: user_id and metrics'],
    ['a value in it', 'user_id,72.5 canary\n', /^\/2 the column is no known metric/],
    ['an unknown column among unnamed ones', ',user_id,age,,mood', /^\/5 the column "mood" is no known metric/],
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
    ['UTF-16 without a mark', Buffer.from('user_id,age\n1,70\n', 'utf16le'), 'UTF-16 without a byte order mark'],
    ['a workbook', Buffer.from('PK\x03\x04\x00\x00\x00', 'latin1'), 'an Excel workbook (.xlsx)'],
    ['an old workbook', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'an old Excel workbook (.xls)'],
    ['nothing but blank lines', '\n'.repeat(200_000), 'nothing but blank lines'],
    ['a header without end', `user_id${',age'.repeat(20_000)}`, 'The header is longer than'],
    ['an end inside a character', Buffer.from([0x61, 0xc3]), 'It is no UTF-8'],
    ['a quote in the header that never closes', 'user_id,"age\n1,2\n', 'Line 1: The quote'],
    ['a misplaced quote in the header', 'user_id,a"ge\n1,2\n', 'Line 1: a quote'],
  ])('are not searched for in %s', async (_name, bytes, words) => {
    const error = await failure(readCsv(bytes))
    expect(error.code).toBe('REQUEST_MALFORMED')
    expect(error.message).toContain(words)
    expect(error.message).toContain('Nothing was kept.')
  })

  it.each([
    ['semicolons', 'user_id;age;nwbv\n1;72;0,72\n2;80;0.7\n'],
    ['tabs', 'user_id\tage\tnwbv\n1\t72\t0,72\n2\t80\t0.7\n'],
    ['bars', 'user_id|age|nwbv\n1|72|0.72\n2|80|,7\n'],
    ['a sep line', 'sep=;\nuser_id;age;nwbv\n1;72;0,72\n2;80;0.7\n'],
    ['a quoted sep line', '"sep=,"\r\nuser_id,age,nwbv\r\n1,72,0.72\r\n2,80,0.7\r\n'],
    ['CR line ends', 'user_id,age,nwbv\r1,72,0.72\r2,80,0.7'],
    ['UTF-16, little end first', Buffer.from('\ufeffuser_id;age;nwbv\n1;72;0,72\n2;80;0.7\n', 'utf16le')],
    ['UTF-16, big end first', Buffer.from('\ufeffuser_id;age;nwbv\n1;72;0,72\n2;80;0.7\n', 'utf16le').swap16()],
    ['gzip', gzipSync('user_id,age,nwbv\n1,72,0.72\n2,80,0.7\n')],
    ['row names', '"","user_id","age","nwbv"\n"1",1,72,0.72\n"2",2,80,0.7\n'],
    ['an index', 'Unnamed: 0,user_id,age,nwbv\n0,1,72,0.72\n1,2,80,0.7\n'],
    ['a nameless empty column', 'user_id,age,nwbv,\n1,72,0.72,\n2,80,0.7, \n'],
    ['capitals in the header', 'User_ID,Age,nWBV\n1,72,0.72\n2,80,0.7\n'],
    ['decimals and signs', 'user_id,age,nwbv\n1.0, +72 ,7.2e-1\n2e0,80.0,.7\n'],
  ])('D4, D6: are read from a file with %s', async (_name, bytes) => {
    const rows = await readCsv(bytes)
    expect(rows.map((row) => ('metrics' in row ? [row.userId, row.metrics] : row))).toEqual([
      [1, { age: 72, nwbv: 0.72 }],
      [2, { age: 80, nwbv: 0.7 }],
    ])
  })

  it('D4: take the usual markers of a missing value for missing', async () => {
    const markers = [
      'NA',
      'N/A',
      '#N/A',
      'NaN',
      'nan',
      'null',
      'NULL',
      'None',
      '.',
      '?',
      '-',
      '',
      '  ',
      '<NA>',
      '\\N',
      '"NA"',
    ]
    const rows = await readCsv(`user_id,age,sex\n${markers.map((marker) => `1,70,${marker}\n`).join('')}`)
    expect(rows).toEqual(markers.map((_, index) => ({ line: index + 2, userId: 1, metrics: { age: 70 } })))
  })

  it('D4: take other markers for missing, or none, if asked to', async () => {
    const text = 'user_id,age,sex\n1,70,NA\n1,-9,unknown\n'
    const metricsWith = async (wish: string) =>
      (await readCsv(text, undefined, wish)).map((row) => ('metrics' in row ? row.metrics : row.fault))
    expect(await metricsWith('empty')).toEqual([
      { age: 70, sex: 'NA' },
      { age: -9, sex: 'unknown' },
    ])
    expect(await metricsWith('-9, Unknown')).toEqual([{ age: 70, sex: 'NA' }, {}])
  })

  it.each([
    ['"1,234"', 'etiv must be written without thousands separators'],
    ["1'234", 'etiv must be written without thousands separators'],
    ['"72,5"', 'with a decimal point (a decimal comma only where semicolons'],
    ['1 234', 'etiv must be written without thousands separators'],
    ['x'.repeat(257), 'etiv must have at most 256 characters'],
  ])('D4: say how a number is to be written: %s', async (cell, words) => {
    const [row] = await readCsv(`user_id,etiv\n7,${cell}\n`)
    expect(row).toEqual({ line: 2, userId: 7, fault: expect.stringContaining(words) })
  })

  it('D6: fail alone if they have a value where the header has no name', async () => {
    expect(await readCsv('user_id,age,\n1,70,canary\n')).toEqual([
      { line: 2, userId: 1, fault: 'has a value in column 3, which has no name in the header' },
    ])
  })

  it('A3: of 60,000 digits and an x are refused at once', async () => {
    const row = `1,${'9'.repeat(60_000)}x\n`
    const start = process.cpuUsage()
    const rows = await readCsv(Buffer.from(`user_id,age\n${row.repeat(20)}`), undefined, undefined, 65_536)
    // Microseconds of the processor, for the machine may be busy. Each row took 1.5 s.
    expect(process.cpuUsage(start).user).toBeLessThan(1_000_000)
    expect(rows).toHaveLength(20)
    expect(rows[0]).toEqual({ line: 2, userId: 1, fault: 'age must have at most 256 characters' })
  })

  it('end with an upload that is cut off', async () => {
    const stream = new Readable({ read: () => undefined })
    const work = failure(
      collect(readCsvRows(readUploadText(readFileBytes(readBytes(stream), false)), manifestOf(), catalogue)),
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

  it('D4: may have null and the usual markers for what is missing', async () => {
    const text =
      '{"user_id":1,"health_metrics":{"age":70,"sex":null,"ses":"NA"}}\n{"user_id":2,"health_metrics":null}\n'
    expect(await readNdjson(text)).toEqual([
      { line: 1, userId: 1, metrics: { age: 70 } },
      { line: 2, userId: 2, metrics: null },
    ])
  })

  it('A3: of great depth are refused at once', async () => {
    const line = `{"user_id":1,"health_metrics":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`
    const rows = await readNdjson(line.repeat(3))
    expect(rows.map((row) => checkRow(row, manifestOf(), catalogue))).toMatchObject([
      { message: expect.stringContaining('must be an object') },
      {},
      {},
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

  it.each(['f', 'F', 'Female', ' female ', 'woman', 'WOMEN', 0])(
    'D4: knows the common words of a category: %s',
    (sex) => {
      expect(check(7, { sex, age: 70 })).toMatchObject({ metrics: { sex: 0 } })
    },
  )

  it.each(['constructor', '__proto__', 'toString', 'x'])('D4: knows no other word: %s', (sex) => {
    expect(check(7, { sex, age: 70 })).toMatchObject({ message: expect.stringContaining('(or female, male)') })
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
