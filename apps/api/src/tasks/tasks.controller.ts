import { TaskResults } from '#libs/calls'
import { MemoryGuardError } from '#libs/platform'
import { batchPredictions } from '#libs/tasks/contracts'
import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { closedSignal } from '../http/closed-signal.js'
import { parseIdempotencyKey } from '../http/idempotency-key.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { problemSchema } from '../http/problem.js'
import { routeOptions } from '../http/route-options.js'
import { OptionalBody } from '../openapi/documented-bodies.js'
import { TaskChanges } from './task-changes.js'
import { TaskDescriptions } from './task-descriptions.js'
import { TaskReplays } from './task-replays.js'
import { toResult, toSent } from './task-responses.js'
import {
  replayResponse,
  replayRequest,
  resultQuery,
  revokeRequest,
  sentTask,
  taskResponse,
  taskId,
  taskPage,
  taskQuery,
  taskRequest,
  taskResult,
  type ReplayResponse,
  type ReplayRequest,
  type ResultQuery,
  type RevokeOptions,
  type SentTask,
  type TaskResponse,
  type TaskQuery,
  type TaskRequest,
  type TaskResult,
} from './tasks.schemas.js'
import { TaskIdPipe } from './task-id.pipe.js'
import { TasksService } from './tasks.service.js'

@ApiTags('tasks')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/tasks')
export class TasksController {
  constructor(
    private readonly tasks: TasksService,
    private readonly descriptions: TaskDescriptions,
    private readonly changes: TaskChanges,
    private readonly replays: TaskReplays,
    private readonly results: TaskResults,
  ) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(202)
  @routeOptions({ isLong: (body) => (body as Partial<TaskRequest> | null)?.name === batchPredictions.name })
  @ApiOperation({ summary: 'Send any registered task, now or later' })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'The same key and call make one task' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued, or scheduled', standardSchema: sentTask })
  @ApiResponse({ status: 200, description: 'Finished in time', standardSchema: sentTask })
  async send(
    @Body({ schema: taskRequest }) request: TaskRequest,
    @Headers('idempotency-key') key: string | undefined,
    @Headers('prefer') prefer: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Req() fastify: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SentTask> {
    const waitSeconds = waitSecondsOf(prefer)
    const idempotencyKey = parseIdempotencyKey(key)
    const task = await this.tasks.send(request, principal, idempotencyKey, waitSeconds, closedSignal(fastify))
    respondToSubmission(reply, { location: `/v1/tasks/${task.id}`, taskId: task.id, state: task.state, waitSeconds })
    return toSent(task, await this.results.read(task))
  }

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The history of tasks, newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: taskPage })
  list(@Query({ schema: taskQuery }) query: TaskQuery, @CurrentPrincipal() principal: Principal) {
    return this.tasks.list(query, principal)
  }

  @Post('retry')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Do ended tasks again that fit a filter, each as a new task' })
  @ApiResponse({ status: 200, description: 'What was, or would be, replayed', standardSchema: replayResponse })
  replayMany(
    @Body({ schema: replayRequest }) request: ReplayRequest,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<ReplayResponse> {
    return this.replays.replayMany(request, principal, requestId)
  }

  @Get(':id')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A task with its attempts and timeline' })
  @ApiResponse({ status: 200, description: 'The task', standardSchema: taskResponse })
  async get(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @CurrentPrincipal() principal: Principal,
  ): Promise<TaskResponse> {
    return this.descriptions.describe(await this.tasks.get(id, principal))
  }

  @Get(':id/result')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The result of a task; waits for it if asked to' })
  @ApiResponse({ status: 200, description: 'State and, when it has succeeded, the result', standardSchema: taskResult })
  @ApiResponse({ status: 410, description: 'The result was forgotten', standardSchema: problemSchema })
  async result(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @Query({ schema: resultQuery }) { wait }: ResultQuery,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
  ): Promise<TaskResult> {
    const task = await this.tasks.waitFor(id, principal, wait, closedSignal(request))
    if (task.resultForgottenAt) throw new MemoryGuardError('RESOURCE_GONE', 'The result was forgotten.')
    return toResult(task, await this.results.read(task))
  }

  @Delete(':id/result')
  @RequireRole('submitter')
  @HttpCode(204)
  @ApiOperation({ summary: 'Forget the result of a finished task; its history stays' })
  @ApiResponse({ status: 204, description: 'Forgotten' })
  async forget(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<void> {
    await this.changes.forget(id, principal, requestId)
  }

  @Post(':id/revoke')
  @RequireRole('operator')
  @HttpCode(200)
  @OptionalBody()
  @ApiOperation({ summary: 'Keep a task from running, or end it if it runs' })
  @ApiResponse({
    status: 200,
    description: 'The task after it; it may still run for its grace',
    standardSchema: taskResponse,
  })
  async revoke(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @Body({ schema: revokeRequest.optional() }) request: RevokeOptions | undefined,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<TaskResponse> {
    const task = await this.changes.revoke(id, request?.terminate ?? false, principal, requestId)
    return this.descriptions.describe(task)
  }

  @Post(':id/retry')
  @RequireRole('operator')
  @HttpCode(202)
  @ApiOperation({ summary: 'Do an ended task again, as a new task; asking twice returns the same one' })
  @ApiResponse({ status: 202, description: 'The new task', standardSchema: sentTask })
  async replay(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SentTask> {
    const task = await this.replays.replay(id, principal, request.id)
    request.submittedTask = task.id
    void reply.header('location', `/v1/tasks/${task.id}`)
    return toSent(task, null)
  }
}
