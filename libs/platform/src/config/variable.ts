import type { z } from 'zod'

/** One environment variable: its schema, its description, and whether it must never be shown. */
interface Variable<Schema extends z.ZodType = z.ZodType> {
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
