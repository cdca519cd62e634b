import { z } from 'zod'

/** Text that people see in lists and terminals: without control characters, such as line breaks and escape sequences. */
export const plainText = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((text) => !/\p{Cc}/u.test(text), { error: 'must not hold control characters, such as line breaks' })
