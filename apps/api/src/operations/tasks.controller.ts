import { ForecastRepository, PredictionRepository, TaskRepository, timelineOf, type TaskEntity } from '#libs/database'
import { intervalOf, ModelCatalogue } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { celeryStateOf, isTerminal, processPrediction, updateForecasts } from '#libs/tasks/contracts'
import { Controller, Get, Param, Query, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { problemSchema } from '../http/problem.js'
import { FinishedTasks } from './finished-tasks.js'
import { toForecastResult } from './forecast-result.js'
import {
  resultQuery,
  taskAnswer,
  taskId,
  taskResult,
  type ResultQuery,
  type TaskAnswer,
  type TaskResult,
} from './tasks.schemas.js'

@ApiTags('tasks')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/tasks')
export class TasksController {
  constructor(
    private readonly tasks: TaskRepository,
    private readonly predictions: PredictionRepository,
    private readonly forecasts: ForecastRepository,
    private readonly finished: FinishedTasks,
    private readonly catalogue: ModelCatalogue,
  ) {}

  @Get(':id')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A task with its attempts and timeline' })
  @ApiResponse({ status: 200, description: 'The task', standardSchema: taskAnswer })
  async get(
    @Param('id', { schema: taskId }) id: string,
    @CurrentPrincipal() principal: Principal,
  ): Promise<TaskAnswer> {
    const task = await this.getTask(id, principal)
    const attempts = await this.tasks.listAttempts(id)
    return {
      id: task.id,
      name: task.name,
      queue: task.queue,
      state: task.state,
      celery_state: celeryStateOf(task.state),
      args: argsOf(task),
      user_id: numberOrNull(task.userId),
      prediction_id: numberOrNull(task.predictionId),
      priority: task.priority,
      attempt: task.attempt,
      retries: task.retries,
      crashes: task.crashes,
      worker: task.worker,
      error: failureOf(task),
      created_at: task.createdAt.toISOString(),
      available_at: task.availableAt.toISOString(),
      expires_at: task.expiresAt?.toISOString() ?? null,
      started_at: task.startedAt?.toISOString() ?? null,
      finished_at: task.finishedAt?.toISOString() ?? null,
      attempts: attempts.map((attempt) => ({
        attempt: attempt.attempt,
        worker: attempt.worker,
        outcome: attempt.outcome,
        error: failureOf(attempt),
        started_at: attempt.startedAt?.toISOString() ?? null,
        ended_at: attempt.endedAt.toISOString(),
      })),
      timeline: [...timelineOf(task, attempts)],
    }
  }

  @Get(':id/result')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The result of a task; waits for it if asked to' })
  @ApiResponse({ status: 200, description: 'State and, when it has succeeded, the result', standardSchema: taskResult })
  async result(
    @Param('id', { schema: taskId }) id: string,
    @Query({ schema: resultQuery }) { wait }: ResultQuery,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
  ): Promise<TaskResult> {
    const known = await this.getTask(id, principal)
    if (wait > 0 && !isTerminal(known.state)) await this.finished.wait(id, wait, closedSignal(request))
    const task = wait > 0 ? await this.getTask(id, principal) : known
    return {
      task_id: id,
      state: task.state,
      celery_state: celeryStateOf(task.state),
      ready: isTerminal(task.state),
      successful: task.state === 'succeeded',
      result: task.state === 'succeeded' ? await this.resultOf(task) : null,
      error: failureOf(task),
    }
  }

  /** The result of a prediction stands with the prediction, that of a forecast in a table of its own. */
  private async resultOf({ id: taskId, name, result, predictionId }: TaskEntity): Promise<unknown> {
    if (name === updateForecasts.name) {
      const forecast = await this.forecasts.findByTask(taskId)
      return forecast && toForecastResult(forecast)
    }
    if (name !== processPrediction.name || predictionId === null) return result
    const prediction = await this.predictions.find(Number(predictionId))
    if (!prediction) return null
    const { id, riskScore, riskCategory, outputs, model } = prediction
    const manifest = this.catalogue.find(model)?.manifest
    return {
      prediction_id: id,
      risk_score: riskScore,
      risk_category: riskCategory,
      confidence_interval: manifest?.kind === 'risk' && outputs ? intervalOf(manifest, outputs) : null,
    }
  }

  private async getTask(id: string, principal: Principal): Promise<TaskEntity> {
    const task = await this.tasks.find(id)
    const isReached = task && (principal.userId === null || principal.userId === Number(task.userId))
    if (!isReached) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such task.')
    return task
  }
}

/** The public arguments, with the identifiers that have columns of their own. */
const argsOf = ({ args, userId, predictionId }: TaskEntity): Record<string, unknown> => ({
  ...args,
  ...(predictionId !== null && { prediction_id: Number(predictionId) }),
  ...(userId !== null && { user_id: Number(userId) }),
})

const numberOrNull = (text: string | null): number | null => (text === null ? null : Number(text))

const failureOf = ({ errorCode, errorMessage }: { errorCode: string | null; errorMessage: string | null }) =>
  errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' }

/** Aborted when the caller hangs up, so that no one waits for nobody. */
const closedSignal = ({ raw }: FastifyRequest): AbortSignal => {
  const controller = new AbortController()
  raw.once('close', () => controller.abort())
  return controller.signal
}
