import { TaskResults } from '#libs/calls'
import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { closedSignal } from '../http/closed-signal.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { problemSchema } from '../http/problem.js'
import {
  scheduleResponse,
  scheduleChange,
  scheduleDetail,
  scheduleKey,
  schedulePage,
  scheduleQuery,
  scheduleRequest,
  type ScheduleResponse,
  type ScheduleChange,
  type ScheduleDetail,
  type ScheduleQuery,
  type ScheduleRequest,
} from './schedules.schemas.js'
import { SchedulesService } from './schedules.service.js'
import { toSent } from '../tasks/task-responses.js'
import { sentTask, type SentTask } from '../tasks/tasks.schemas.js'
import { TasksService } from '../tasks/tasks.service.js'

const idParam = { name: 'id', description: 'Id or name of the schedule' } as const

@ApiTags('schedules')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/schedules')
export class SchedulesController {
  constructor(
    private readonly schedules: SchedulesService,
    private readonly tasks: TasksService,
    private readonly results: TaskResults,
  ) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The schedules with their next times, by name' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: schedulePage })
  list(@Query({ schema: scheduleQuery }) query: ScheduleQuery, @CurrentPrincipal() principal: Principal) {
    return this.schedules.list(query, principal)
  }

  @Post()
  @RequireRole('operator')
  @HttpCode(201)
  @ApiOperation({ summary: 'Send a task again and again: by cron in a time zone, or at an interval' })
  @ApiResponse({ status: 201, description: 'The schedule', standardSchema: scheduleResponse })
  async create(
    @Body({ schema: scheduleRequest }) request: ScheduleRequest,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleResponse> {
    const schedule = await this.schedules.create(request, principal, requestId)
    void reply.header('location', `/v1/schedules/${schedule.id}`)
    return schedule
  }

  @Get(':id')
  @RequireRole('viewer')
  @ApiParam(idParam)
  @ApiOperation({ summary: 'A schedule with its next times and its last tasks' })
  @ApiResponse({ status: 200, description: 'The schedule', standardSchema: scheduleDetail })
  get(
    @Param('id', { schema: scheduleKey }) key: string,
    @CurrentPrincipal() principal: Principal,
  ): Promise<ScheduleDetail> {
    return this.schedules.get(key, principal)
  }

  @Patch(':id')
  @RequireRole('operator')
  @ApiParam(idParam)
  @ApiOperation({ summary: 'Change, pause or resume a schedule; new times count from now' })
  @ApiResponse({ status: 200, description: 'The schedule', standardSchema: scheduleResponse })
  update(
    @Param('id', { schema: scheduleKey }) key: string,
    @Body({ schema: scheduleChange }) change: ScheduleChange,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<ScheduleResponse> {
    return this.schedules.update(key, change, principal, requestId)
  }

  @Delete(':id')
  @RequireRole('operator')
  @HttpCode(204)
  @ApiParam(idParam)
  @ApiOperation({ summary: 'Delete a schedule; the tasks that it has sent stay' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  async remove(
    @Param('id', { schema: scheduleKey }) key: string,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<void> {
    await this.schedules.remove(key, principal, requestId)
  }

  @Post(':id/run')
  @RequireRole('operator')
  @HttpCode(202)
  @ApiParam(idParam)
  @ApiOperation({ summary: 'Send the task of a schedule now, apart from its times, also if it is paused' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued', standardSchema: sentTask })
  @ApiResponse({ status: 200, description: 'Finished in time', standardSchema: sentTask })
  async run(
    @Param('id', { schema: scheduleKey }) key: string,
    @Headers('prefer') prefer: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SentTask> {
    const waitSeconds = waitSecondsOf(prefer)
    const caller = { principal, requestId: request.id }
    const taskId = await this.schedules.run(key, caller, waitSeconds, closedSignal(request))
    const task = await this.tasks.get(taskId, principal)
    respondToSubmission(reply, { location: `/v1/tasks/${task.id}`, taskId: task.id, state: task.state, waitSeconds })
    return toSent(task, await this.results.read(task))
  }
}
