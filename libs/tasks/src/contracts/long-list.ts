import { z } from 'zod'

/** More faults than a response contains. */
export const enoughFaults = 51

/** A list of any length. Checking stops after `enoughFaults` faults, because a fault takes far longer than a valid entry. */
export const longList = <Entry extends z.ZodType>(entry: Entry) =>
  z
    .custom<z.output<Entry>[]>((given) => Array.isArray(given), { error: 'must be a list', abort: true })
    .superRefine((entries, context) => {
      let faults = 0
      for (const [index, each] of entries.entries()) {
        const parsed = entry.safeParse(each)
        if (parsed.success) continue
        for (const { path, message } of parsed.error.issues) {
          context.addIssue({ code: 'custom', path: [index, ...path], message })
          faults += 1
        }
        if (faults >= enoughFaults) return
      }
    })
