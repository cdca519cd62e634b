import { z } from 'zod'

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** `90s`, `15m`, `24h` or `7d`. */
const ago = /^\d{1,6}[smhd]$/

/** Seconds of a duration such as `15m`; a number without a unit is seconds. */
const secondsOf = (text: string): number => Number.parseInt(text, 10) * (unitSeconds[text.at(-1) ?? ''] ?? 1)

/** Seconds of a duration such as `90`, `90s`, `15m`, `6h` or `30d`. */
export const duration = z
  .string()
  .regex(/^[1-9]\d{0,8}[smhd]?$/, { error: 'must be a duration such as 15m, 6h or 30d' })
  .transform(secondsOf)

const timeError = 'must be a time, such as 2030-01-31T12:00:00Z, or how long ago, such as 24h'

/** A time, or how long ago it is. Earlier times than 1970 become that: nothing stored is older. */
export const timeOrAgo = z
  .union([z.iso.datetime({ offset: true }), z.string().regex(ago)], { error: timeError })
  .transform((text) => new Date(Math.max(0, ago.test(text) ? Date.now() - secondsOf(text) * 1_000 : Date.parse(text))))

/** What is wrong with the end of a time that holds nothing; undefined of one that may hold something. */
export const faultOfEnd = (since: Date | undefined, until: Date | undefined): string | undefined =>
  since && until && since >= until ? 'must be later than since' : undefined
