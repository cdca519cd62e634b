import { planActions } from '#libs/database'
import { entityId, taskStates } from '#libs/tasks/contracts'
import { z } from 'zod'
import { pageLimit } from '../http/paging.js'
import { strictInput } from '../http/strict-input.js'
import { searchText, statesFilter, taskFilterShape } from '../tasks/task-filter.schemas.js'

const instant = z.iso.datetime()
const state = z.enum(taskStates, { error: `must be one of ${taskStates.join(', ')}` })

/** Most tasks that a plan may name one by one. */
const maxIds = 1_000

const planFilter = strictInput({
  ...taskFilterShape,
  state: z.union([statesFilter.unwrap(), z.array(state).min(1).max(taskStates.length)]).optional(),
  user_id: entityId.optional(),
  prediction_id: entityId.optional(),
  ids: z.array(z.uuid()).min(1).max(maxIds).optional().describe('These tasks, as far as they fit the rest'),
  q: searchText,
}).describe('The conditions of `GET /v1/tasks`; what fits all of them, and is in a state in which the action applies')

/** `POST /v1/plans` */
export const planRequest = strictInput({
  action: z
    .enum(planActions, { error: `must be one of ${planActions.join(', ')}` })
    .describe(
      'retry: do ended tasks again that did not succeed, without a state those that failed or timed out. ' +
        'revoke: cancel tasks that wait, and end those that run. purge: cancel those that have not started',
    ),
  filter: planFilter,
  terminate: z.boolean().default(false).describe('revoke: kill what computes a task that runs, after its grace'),
})
  .superRefine(({ action, terminate }, context) => {
    if (terminate && action !== 'revoke') {
      context.addIssue({ code: 'custom', path: ['terminate'], message: 'is only for the action revoke; leave it out' })
    }
  })
  .meta({ id: 'PlanRequest', examples: [{ action: 'retry', filter: { state: 'failed', queue: 'predictions' } }] })
export type PlanRequest = z.infer<typeof planRequest>

const planSummary = z
  .strictObject({
    id: z.uuid(),
    action: z.enum(planActions),
    terminate: z.boolean(),
    filter: z
      .record(z.string(), z.unknown())
      .describe(
        'How its tasks were chosen, with the times of that moment; a person by the pseudonym of the audit trail',
      ),
    state: z
      .enum(['planned', 'expired', 'running', 'finished'])
      .describe('planned: nothing has changed yet; expired: nothing has and nothing will'),
    count: z.int().describe('Tasks that were chosen: the action is for exactly these. A batch counts once'),
    count_is_capped: z.boolean().describe('Whether more tasks fitted than a plan takes: then it has the oldest'),
    total: z.int().describe('The same as `count`: done, skipped and failed add up to it in the end'),
    done: z.int().describe('Changed so far'),
    skipped: z.int().describe('Passed over: no longer in a state in which the action applies, or no longer there'),
    failed: z.int().describe('Not changed because of an error, which the log has'),
    created_at: instant,
    expires_at: instant.describe('It must be run before'),
    started_at: instant.nullable(),
    finished_at: instant.nullable(),
    planned_by: z.uuid().describe('The API key, or OIDC caller, that made it'),
    by: z.uuid().nullable().describe('The one that ran it'),
  })
  .meta({ id: 'PlanSummary' })

export const planResponse = planSummary
  .extend({
    sample: z
      .array(
        z.strictObject({
          id: z.uuid(),
          name: z.string(),
          queue: z.string(),
          state: z.enum(taskStates),
          error_code: z.string().nullable(),
          worker: z.string().nullable(),
          created_at: instant,
        }),
      )
      .describe('The newest ten of its tasks, as they are now'),
  })
  .meta({ id: 'Plan' })
export type PlanResponse = z.infer<typeof planResponse>

export const planPage = z
  .strictObject({ items: z.array(planSummary), next_cursor: z.string().nullable() })
  .meta({ id: 'PlanPage' })
export type PlanPage = z.infer<typeof planPage>

export const planQuery = strictInput({
  cursor: z.uuid({ error: 'must be a `next_cursor` of an earlier page' }).optional(),
  limit: pageLimit,
})
export type PlanQuery = z.infer<typeof planQuery>

export const planId = z.uuid({ error: 'must be a UUID' })
