import { expect, it } from 'vitest'
import { toText } from './report-text.js'

it('shows groups, lists and what is empty', () => {
  const report = {
    software: { node: '24', cpus: 2 },
    warnings: [],
    queues: ['batch', 'predictions'],
    workers: [{ name: 'one', limits: {} }, { name: 'two' }],
    database: { unavailable: 'It is down.\nTwice.', last: null },
  }
  expect(toText(report)).toBe(`software:
  node: 24
  cpus: 2
warnings: none
queues: batch, predictions
workers:
  -
    name: one
    limits: none
  -
    name: two
database:
  unavailable: It is down.
    Twice.
  last:`)
})
