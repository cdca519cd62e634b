import { erasedKinds } from '#libs/database'
import { z } from 'zod'

const count = z.int().nonnegative()

const words: Partial<Record<(typeof erasedKinds)[number], string>> = {
  batch_rows: 'Rows of batches without a prediction: waiting, refused or cancelled',
  api_keys: 'Keys that were bound to the person',
}

/** What was erased of a person. */
export const erasureResponse = z
  .strictObject({
    pseudonym: z.string().describe('The name of the person in the audit trail'),
    erased: z.record(z.enum(erasedKinds), count).describe(
      `Rows by kind. ${Object.entries(words)
        .map((entry) => entry.join(': '))
        .join('. ')}.`,
    ),
    remaining: count.describe('Rows that the last search found: none'),
  })
  .meta({
    id: 'Erasure',
    examples: [
      {
        pseudonym: 'person-0f6d1c2b3a495867768594a3b2c1d0ef',
        erased: {
          predictions: 12,
          explanations: 1,
          forecasts: 2,
          health_metrics: 5,
          tasks: 15,
          task_attempts: 15,
          batches: 0,
          batch_rows: 3,
          schedules: 0,
          api_keys: 1,
        },
        remaining: 0,
      },
    ],
  })

export type ErasureResponse = z.infer<typeof erasureResponse>
