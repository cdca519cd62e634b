import { SlicedList, zip } from '#libs/calls'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryGuardError } from '#libs/platform'
import { parseSliced } from './sliced-json.js'

const parse = (text: string): unknown => JSON.parse(text)

const entriesOf = (list: SlicedList): unknown[] => [...list].flat()

/** The body as `JSON.parse` gives it. */
const whole = (body: unknown): unknown =>
  typeof body === 'object' && body !== null && !Array.isArray(body)
    ? Object.fromEntries(
        Object.entries(body).map(([name, value]) => [name, value instanceof SlicedList ? entriesOf(value) : value]),
      )
    : body

const outcomeOf = async (work: () => unknown): Promise<unknown> => {
  try {
    return { body: await work() }
  } catch (error) {
    return error instanceof MemoryGuardError ? { code: error.code, faults: error.faults } : 'no JSON'
  }
}
const sliced = (text: string) => outcomeOf(async () => whole(await parseSliced(text, parse)))
const bodyWithoutLists = (text: string) => {
  const body = parse(text)
  return Array.isArray(body) ? [] : body
}

describe('JSON in slices', () => {
  it('A3: is what JSON.parse makes of it, or no JSON for both', async () => {
    const json = fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(fc.array(fc.jsonValue({ maxDepth: 3 })), fc.jsonValue({ maxDepth: 2 }))),
      fc.jsonValue(),
    )
    const text = fc
      .record({
        value: json,
        indent: fc.constantFrom(0, 2),
        at: fc.nat(),
        cut: fc.nat(2),
        put: fc.constantFrom('', '{', '}', '[', ']', ',', ':', '"', '\\', '1', ' ', '\n', '\ufeff'),
        isSpoilt: fc.boolean(),
      })
      .map(({ value, indent, at, cut, put, isSpoilt }) => {
        const sound = JSON.stringify(value, undefined, indent)
        const place = at % (sound.length + 1)
        return isSpoilt ? sound.slice(0, place) + put + sound.slice(place + cut) : sound
      })
      .filter((each) => !each.includes('__proto__') && !each.startsWith('\ufeff'))
    await fc.assert(
      fc.asyncProperty(text, async (each) => {
        const [seen, expected] = [await sliced(each), await outcomeOf(() => bodyWithoutLists(each))]
        if (!isDeepStrictEqual(seen, expected)) expect([each, seen]).toEqual([each, expected])
      }),
      { numRuns: 3_000 },
    )
  })

  it.each(['', ' ', '{', '{"a":[}', '{"a":[1}', '{"a":[1]', '{"a":[1,]}', '{"a":[,1]}', '{"a":[1]]', '{"a":[1]}1'])(
    'is none: %s',
    async (text) => expect(await sliced(text)).toBe('no JSON'),
  )
  it.each([
    '{"a":1,}',
    '{,"a":1}',
    '{"a":[{"b":1]}]}',
    '{"a":1 "b":2}',
    '{"a":[1] "b":2}',
    '{a:[1]}',
    '[1',
    '1 2',
    '[1,]',
  ])('is none: %s', async (text) => expect(await sliced(text)).toBe('no JSON'))

  it('keeps long lists in pieces, and the last of members of one name', async () => {
    const numbers = Array.from({ length: 2_500 }, (_, index) => index)
    const texts = Array.from({ length: 10 }, (_, index) => `[${index}]`.repeat(1_000))
    const body = await parseSliced(`{"a":1,"a":${JSON.stringify(numbers)},"b":${JSON.stringify(texts)}}`, parse)
    const { a, b } = body as { a: SlicedList; b: SlicedList }
    expect([a.length, entriesOf(a)]).toEqual([2_500, numbers])
    expect([...a].map(({ length }) => length)).toEqual([1_000, 1_000, 500])
    expect([b.length, entriesOf(b)]).toEqual([10, texts])
    expect([...b].length).toBeGreaterThan(1)
  })

  it('A3: lets others have their turn between slices', async () => {
    const deep = '['.repeat(90) + ']'.repeat(90)
    const bodies = [
      `{"a":[${`${deep},`.repeat(20_000)}1]}`,
      `{"a":[${'{},'.repeat(1_000_000)}1]}`,
      `{${Array.from({ length: 300_000 }, (_, index) => `"a${index}":1`).join()}}`,
    ]
    for (const text of bodies) {
      let turns = 0
      const count = setInterval(() => (turns += 1), 1)
      const start = performance.now()
      await parseSliced(text, parse)
      clearInterval(count)
      expect(turns).toBeGreaterThan((performance.now() - start) / 100)
    }
  })

  it('has values of a length that can be read in one go', async () => {
    const long = 'x'.repeat(65_536)
    const message = 'must have at most 65536 characters'
    for (const [text, pointer] of [
      [`{"a/b":[1,"${long}"]}`, '/a~1b/1'],
      [`{"a":"${long}"}`, ''],
      [`{"${long}":[1]}`, ''],
      [`["${long}"]`, '/0'],
      [`"${long}"`, ''],
    ] as const) {
      expect(await sliced(text)).toEqual({ code: 'REQUEST_INVALID', faults: [{ pointer, message }] })
    }
  })

  it('E2: is refused when it is nested too deep, whatever the brackets are in', async () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(await sliced(`{"a":[${nested(98)}]}`)).toHaveProperty('body')
    expect(await sliced(`{"a":${nested(99)}}`)).toHaveProperty('body')
    for (const text of [`{"a":[1,${nested(99)}]}`, `{"a":{"b":${nested(99)}}}`, nested(101), '['.repeat(200_000)]) {
      expect(await sliced(text)).toMatchObject({ code: 'REQUEST_MALFORMED' })
    }
  })

  it('keeps no more members than any schema would refuse', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `"a${index}":1`).join()
    expect(Object.keys(Object(await parseSliced(`{${many}}`, parse)))).toHaveLength(1_000)
  })

  it('stands side by side in pairs, however each list is cut', () => {
    const cut = (sizes: readonly number[]) => {
      let next = 0
      const pieces = sizes.map((size) => Array.from({ length: size }, () => (next += 1)))
      return new SlicedList(next, () => pieces.values())
    }
    const pairs = [...zip(cut([3, 1, 4]), cut([1, 5, 2]))].flat()
    expect(pairs).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((each) => [each, each]))
  })
})
