/** An offset from UTC at the end of a time. */
const offset = /(?:Z|[+-]\d{2}:?\d{2})$/i
const isoTime = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i

/**
 * A time as Python's `isoformat` writes it, or as newer clients wrap it. One without an offset is in UTC, whatever the
 * time zone of this process. Undefined for anything else.
 */
export const readTime = (value: unknown): Date | undefined => {
  const text = plainValue(value)
  if (typeof text !== 'string' || !isoTime.test(text)) return undefined
  const withZone = offset.test(text) || text.length === 10 ? text : `${text}Z`
  const time = new Date(withZone.replace(' ', 'T'))
  return Number.isNaN(time.getTime()) ? undefined : time
}

/**
 * A value without the wrapping of kombu from 5.3 on: `{"__type__": "decimal", "__value__": "24.5"}` is the number 24.5;
 * other kinds are their text.
 */
export const plainValue = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plainValue)
  const { __type__: type, __value__: wrapped } = value as Record<string, unknown>
  if (typeof type === 'string' && wrapped !== undefined) {
    return type === 'decimal' && typeof wrapped === 'string' ? Number(wrapped) : wrapped
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plainValue(member)]))
}

/** A time as Python's `isoformat` writes it, in UTC. */
export const pythonTime = (time: Date): string => time.toISOString().replace('Z', '000+00:00')
