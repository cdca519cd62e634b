import { describe, expect, it } from 'vitest'
import { parseCsvSample, parseNdjsonSample } from './parse-sample.ts'

const cellsOf = (text: string, count = 20, isWhole = true) =>
  parseCsvSample(text, count, isWhole).rows.map(({ cells }) => cells)

describe('the begin of a CSV file', () => {
  it.each([
    ['commas', 'user_id,age\n1,72\n'],
    ['semicolons', 'user_id;age\r\n1;72\r\n'],
    ['tabs', 'user_id\tage\r1\t72\r'],
    ['bars', 'user_id|age\n1|72'],
    ['a sep= line', 'sep=;\nuser_id;age\n1;72'],
    ['blank lines before', '\n\nuser_id,age\n\n1,72\n'],
  ])('is read with %s', (_name, text) => {
    const { columns, rows } = parseCsvSample(text, 20, true)
    expect(columns).toEqual(['user_id', 'age'])
    expect(rows.map(({ cells }) => cells)).toEqual([['1', '72']])
  })

  it('has quotes, doubled quotes, separators and line ends inside quotes', () => {
    expect(cellsOf('user_id,note\n1,"a ""b"", c"\n2,"two\nlines"\n')).toEqual([
      ['1', 'a "b", c'],
      ['2', 'two\nlines'],
    ])
  })

  it('counts the lines of the file', () => {
    const { rows } = parseCsvSample('sep=,\nuser_id,note\n1,"two\nlines"\n\n2,b\n', 20, true)
    expect(rows.map(({ line }) => line)).toEqual([3, 6])
  })

  it('leaves out a last row that may be cut off', () => {
    expect(cellsOf('user_id,age\n1,72\n2,7', 20, false)).toEqual([['1', '72']])
    expect(cellsOf('user_id,age\n1,72\n2,7', 20, true)).toHaveLength(2)
  })

  it('takes no more rows than asked for', () => {
    expect(cellsOf('user_id,age\n1,72\n2,73\n3,74\n', 2)).toHaveLength(2)
  })

  it('says that a quote is left open', () => {
    expect(parseCsvSample(`"user_id,age\n${'1,72\n'.repeat(20_000)}`, 20, false).fault).toContain('quote')
  })
})

describe('the begin of newline-delimited JSON', () => {
  it('has a column for each metric', () => {
    const text = '{"user_id":1,"health_metrics":{"age":72}}\n\n{"user_id":2,"health_metrics":{"sex":"f","age":null}}\n'
    expect(parseNdjsonSample(text, 20, true)).toEqual({
      columns: ['user_id', 'age', 'sex'],
      rows: [
        { line: 1, cells: ['1', '72', ''] },
        { line: 3, cells: ['2', '', 'f'] },
      ],
      hasDecimalComma: false,
    })
  })

  it.each([
    ['{"user_id":1}\n', 'Line 1 is no {'],
    ['[1]\n', 'Line 1 is no {'],
    ['{"user_id":1,"health_metrics":{}}\n{broken\n', 'Line 2 is no JSON'],
  ])('says what is wrong with %s', (text, words) => {
    expect(parseNdjsonSample(text, 20, true).fault).toContain(words)
  })
})
