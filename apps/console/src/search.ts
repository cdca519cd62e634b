import { catch as otherwise, iso, optional, string, type core } from 'zod/mini'

/** A search parameter that may be missing; one that is not valid is left out, so that an old link still opens. */
export const orNothing = <Schema extends core.$ZodType>(schema: Schema) =>
  optional(otherwise(optional(schema), undefined))

/** Text as it was typed. */
export const text = optional(string())

/** A time as ISO 8601. */
export const instant = orNothing(iso.datetime())
