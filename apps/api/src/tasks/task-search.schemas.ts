import { z } from 'zod'
import { strictInput } from '../http/strict-input.js'
import { maxSearchText, searchText, taskFilterShape, type TaskConditions } from './task-filter.schemas.js'

const instant = z.iso.datetime()

/** The ends that count as failures. */
export const failureStates = ['failed', 'timed_out'] as const

/** Parts of the time that a group of failures is counted in. */
export const sparklineParts = 24

export const failureQuery = strictInput({ ...taskFilterShape, q: searchText })
export type FailureQuery = z.infer<typeof failureQuery>

const failureGroup = z.strictObject({
  error_code: z.string(),
  name: z.string(),
  count: z.int(),
  count_is_capped: z.boolean().describe('There may be more: counting was given up after a time'),
  first_at: instant.describe('When the first of them failed'),
  last_at: instant,
  sample: z.array(z.strictObject({ id: z.uuid(), message: z.string().nullable() })).describe('The last three'),
  sparkline: z
    .array(z.int())
    .describe(`How many were made in each of ${sparklineParts} equal parts of the time from since to until`),
})

export const failureResponse = z
  .strictObject({
    since: instant,
    until: instant,
    items: z.array(failureGroup).describe('Most frequent first'),
    is_complete: z.boolean(),
    counted_from: instant
      .nullable()
      .describe('If it is not complete: what was made after this time was counted, earlier failures in part'),
  })
  .meta({ id: 'TaskFailures' })
export type FailureResponse = z.infer<typeof failureResponse>

export const suggestionQuery = strictInput({
  q: z
    .string()
    .min(0)
    .max(maxSearchText)
    .optional()
    .describe('What is written so far; without it the keys are suggested'),
})
export type SuggestionQuery = z.infer<typeof suggestionQuery>

export const suggestionResponse = z
  .strictObject({
    filter: z
      .partialRecord(z.enum(Object.keys(taskFilterShape) as [keyof TaskConditions]), z.string())
      .describe('What was understood, as the parameters of `GET /v1/tasks`'),
    unknown: z
      .array(
        z.strictObject({ position: z.int().describe('1 is the first word'), word: z.string(), message: z.string() }),
      )
      .describe('Words that were not understood'),
    items: z
      .array(z.strictObject({ text: z.string().describe('In place of the last word'), about: z.string() }))
      .describe('How the last word may go on'),
  })
  .meta({ id: 'TaskSuggestions' })
export type SuggestionResponse = z.infer<typeof suggestionResponse>
