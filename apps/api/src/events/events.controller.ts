import { Controller, Get, Headers, Param, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isTerminal } from '#libs/tasks/contracts'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { Produces } from '../http/acceptable.js'
import { problemSchema } from '../http/problem.js'
import { TaskIdPipe } from '../tasks/task-id.pipe.js'
import { taskId } from '../tasks/tasks.schemas.js'
import { EventHub } from './event-hub.js'
import { parseKey, unknownEventId } from './event-key.js'
import { EventStreams } from './event-streams.js'
import { documentedChange, documentedChangeOrProgress, eventsQuery, type EventsQuery } from './events.schemas.js'
import { TaskFollower } from './task-follower.js'

const resume = { name: 'Last-Event-ID', required: false, description: 'Goes on after this event' }
const streamOf = (schema: Record<string, unknown>) => ({ 'text/event-stream': { schema } })
const framing =
  'Server-sent events named `task.<state>`, and `task.progress` in the stream of one task, whose data is JSON as shown. The stream opens with the `retry` time and may ' +
  'move the `id` on without an event; a comment comes at least every 15 s. ' +
  'A client that lost the connection sends the last `id` it got as Last-Event-ID and gets every event after it once.'

@ApiTags('events')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1')
export class EventsController {
  constructor(
    private readonly streams: EventStreams,
    private readonly follower: TaskFollower,
    private readonly hub: EventHub,
  ) {}

  @Get('tasks/:id/events')
  @RequireRole('viewer')
  @Produces('text/event-stream')
  @ApiOperation({ summary: 'The changes of a task, from the first to the last, as they happen', description: framing })
  @ApiHeader(resume)
  @ApiResponse({
    status: 200,
    description: 'The stream; it ends with the task',
    content: streamOf(documentedChangeOrProgress),
  })
  @ApiResponse({ status: 204, description: 'The task has ended, and there is nothing after Last-Event-ID' })
  async ofTask(
    @Param('id', { schema: taskId, pipes: [TaskIdPipe] }) id: string,
    @Headers('last-event-id') lastId: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = placeOf(lastId)
    const found = await this.follower.find(id, principal)
    const { task } = found
    const isOver = isTerminal(task.state) && task.timeline.every(({ place }) => place <= after)
    // The one response after which a browser does not connect again.
    if (isOver) return void (await reply.status(204).send())
    await this.streams.serve(request, reply, (signal) => ({ events: this.follower.follow(found, after, signal) }))
  }

  @Get('events')
  @RequireRole('viewer')
  @Produces('text/event-stream')
  @ApiOperation({ summary: 'The changes of all tasks, from now on or after Last-Event-ID', description: framing })
  @ApiHeader(resume)
  @ApiResponse({ status: 200, description: 'The stream; it has no end', content: streamOf(documentedChange) })
  @ApiResponse({ status: 410, description: 'Last-Event-ID is more than an hour old', standardSchema: problemSchema })
  @ApiResponse({ status: 503, description: 'Too many streams are open here', standardSchema: problemSchema })
  async ofAll(
    @Query({ schema: eventsQuery }) query: EventsQuery,
    @Headers('last-event-id') lastId: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = lastId ? parseKey(lastId) : undefined
    await this.streams.serve(request, reply, (signal) => this.hub.follow(query, principal, after, signal))
  }
}

/** Place of the last change that a client got; -1 for none. */
const placeOf = (lastId: string | undefined): number => {
  if (!lastId) return -1
  if (!/^\d{1,10}$/.test(lastId)) throw unknownEventId()
  return Number(lastId)
}
