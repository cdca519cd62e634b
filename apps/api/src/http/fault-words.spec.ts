import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { speakPlainly } from './fault-words.js'

describe('a fault that its schema has no words for', () => {
  beforeAll(speakPlainly)
  afterAll(() => z.config(z.locales.en()))

  const colour = z.enum(['red', 'green'])
  it.each([
    [z.string(), 1, 'must be a text'],
    [z.string(), undefined, 'is required'],
    [z.coerce.number(), 'abc', 'must be a number'],
    [z.int(), 1.5, 'must be a whole number'],
    [z.number().int(), 1.5, 'must be a whole number'],
    [z.boolean(), 'true', 'must be true or false'],
    [z.record(z.string(), z.number()), [], 'must be a JSON object'],
    [z.array(z.string()), {}, 'must be a list'],
    [z.number().max(500), 501, 'must be at most 500'],
    [z.number().min(1), 0, 'must be at least 1'],
    [z.number().positive(), 0, 'must be more than 0'],
    [z.number().lt(1), 1, 'must be less than 1'],
    [z.number().multipleOf(60), 61, 'must be a multiple of 60'],
    [z.string().min(1), '', 'must not be empty'],
    [z.string().max(1), 'ab', 'must have at most 1 character'],
    [z.array(z.int()).max(3), [1, 2, 3, 4], 'must have at most 3 items'],
    [z.array(z.int()).min(2), [1], 'must have at least 2 items'],
    [colour, 'blue', 'must be one of red, green'],
    [colour, undefined, 'is required'],
    [z.literal('red'), 'blue', 'must be red'],
    [z.uuid(), 'blue', 'must be a UUID'],
    [z.iso.datetime(), 'blue', 'must be a time, such as 2030-01-31T12:00:00Z'],
    [z.string().regex(/^a$/), 'secret', 'has another form'],
    [z.union([z.number(), z.string()]), [], 'must be a number, or must be a text'],
    [z.union([z.strictObject({ a: z.string() }), z.array(z.string())]), { b: 1 }, 'has no accepted form'],
    [z.strictObject({}), { secret: 1 }, 'is not known here'],
    [z.string().refine(() => false), 'secret', 'is not valid'],
    [z.string('must be a name'), 1, 'must be a name'],
  ])('%#: says what is accepted: %s', (schema: z.ZodType, value, message) => {
    const { error } = schema.safeParse(value)
    expect(error?.issues[0]?.message).toBe(message)
  })
})
