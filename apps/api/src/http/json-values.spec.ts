import { describe, expect, it } from 'vitest'
import { isTooDeep } from './json-values.js'

describe('the depth of JSON', () => {
  const nested = (depth: number, open = '[', close = ']') => open.repeat(depth) + close.repeat(depth)

  it.each([
    ['100 levels', nested(100), false],
    ['101 levels', nested(101), true],
    ['200,000 levels', nested(200_000), true],
    ['200,000 levels that never close', '['.repeat(200_000), true],
    ['objects', nested(101, '{"a":', '1}'), true],
    ['many lists side by side', `[${'[[]],'.repeat(1_000)}1]`, false],
    ['brackets in text', JSON.stringify(['['.repeat(1_000)]), false],
    ['brackets in text behind an escaped quote', JSON.stringify([`"${'['.repeat(1_000)}`]), false],
    ['brackets behind text that ends in a backslash', `["\\\\",${nested(101)}]`, true],
  ])('E2: %s', (_, text, expected) => expect(isTooDeep(text)).toBe(expected))
})
