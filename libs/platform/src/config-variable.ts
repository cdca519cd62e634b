import { z } from 'zod'

export const url = (protocols: readonly string[], what: string) =>
  z.string().refine((text) => protocols.some((protocol) => text.startsWith(`${protocol}://`)) && URL.canParse(text), {
    error: `must be ${what}, starting with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}`,
  })
export const seconds = (min: number, max = 31_536_000) => {
  const error = `must be a number of seconds from ${min} to ${max}`
  return z.coerce.number({ error }).min(min, { error }).max(max, { error })
}

export const count = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** One environment variable: its schema, its description, and whether it must never be shown. */
export interface Variable<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema
  readonly description: string
  readonly secret: boolean
}

export const variable = <Schema extends z.ZodType>(schema: Schema, description: string): Variable<Schema> => ({
  schema,
  description,
  secret: false,
})
/** A secret is also read from the file that `<NAME>_FILE` points to. */
export const secret = <Schema extends z.ZodType>(schema: Schema, description: string): Variable<Schema> => ({
  schema,
  description,
  secret: true,
})
