import { isTerminal, type TaskState } from '#libs/tasks/contracts'
import type { FastifyReply } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Id of the task that the request has submitted. */
    submittedTask?: string
  }
}

/** Longest wait that a caller may ask for, in seconds. */
export const maxWaitSeconds = 25

/** The header in the OpenAPI document. */
export const preferHeader = {
  name: 'Prefer',
  required: false,
  description: `\`wait=N\`: respond with 200 if it is ready within N <= ${maxWaitSeconds} s`,
}

/** Seconds of `Prefer: wait=N` (RFC 7240), at most 25; 0 without it. An unreadable preference is no preference. */
export const waitSecondsOf = (prefer: string | string[] | undefined): number => {
  if (prefer === undefined) return 0
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d+)"?/i.exec([prefer].flat().join(','))
  return match ? Math.min(Number(match[1]), maxWaitSeconds) : 0
}

/** The outcome of a submission, as far as the response headers show it. */
export interface Submission {
  /** Where it can be asked for. */
  readonly location: string
  readonly taskId: string
  readonly state: TaskState
  /** The wait that was granted; 0 without one. */
  readonly waitSeconds: number
}

/** Headers and status of every submission: 200 if it has ended in time, otherwise the route's 202 with when to ask. */
export const respondToSubmission = (
  reply: FastifyReply,
  { location, taskId, state, waitSeconds }: Submission,
): void => {
  reply.request.submittedTask = taskId
  void reply.header('location', location)
  if (waitSeconds > 0) void reply.header('preference-applied', `wait=${waitSeconds}`)
  if (isTerminal(state)) void reply.status(200)
  else void reply.header('retry-after', 1)
}
