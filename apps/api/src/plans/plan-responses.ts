import type { PlanEntity, TaskEntity } from '#libs/database'
import { shownName } from '#libs/tasks/contracts'
import type { PlanPage, PlanResponse } from './plans.schemas.js'

type PlanSummary = PlanPage['items'][number]

export const toPlanSummary = (plan: PlanEntity): PlanSummary => ({
  id: plan.id,
  action: plan.action,
  terminate: plan.terminate,
  filter: plan.filter,
  state: stateOf(plan),
  count: plan.total,
  count_is_capped: plan.isCapped,
  total: plan.total,
  done: plan.done,
  skipped: plan.skipped,
  failed: plan.failed,
  created_at: plan.createdAt.toISOString(),
  expires_at: plan.expiresAt.toISOString(),
  started_at: plan.startedAt?.toISOString() ?? null,
  finished_at: plan.finishedAt?.toISOString() ?? null,
  planned_by: plan.plannedBy,
  by: plan.runBy,
})

export const toPlanResponse = (plan: PlanEntity, tasks: readonly TaskEntity[]): PlanResponse => ({
  ...toPlanSummary(plan),
  sample: tasks.map(({ id, name, queue, state, errorCode, worker, createdAt }) => ({
    id,
    name: shownName(name),
    queue,
    state,
    error_code: errorCode,
    worker,
    created_at: createdAt.toISOString(),
  })),
})

/** The state to show. Whether a plan may still run is decided by the database, with its own clock. */
const stateOf = ({ startedAt, finishedAt, expiresAt }: PlanEntity): PlanSummary['state'] => {
  if (finishedAt) return 'finished'
  if (startedAt) return 'running'
  return expiresAt.getTime() > Date.now() ? 'planned' : 'expired'
}
