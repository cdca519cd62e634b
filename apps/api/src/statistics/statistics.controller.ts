import { setTimeout as pause } from 'node:timers/promises'
import { Controller, Get, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RequireRole } from '../access/access.js'
import type { StreamEvent } from '../events/event-frames.js'
import { EventStreams } from '../events/event-streams.js'
import { documentedEvent } from '../events/events.schemas.js'
import { Produces } from '../http/acceptable.js'
import { problemSchema } from '../http/problem.js'
import {
  nowResponse,
  seriesQuery,
  seriesResponse,
  type NowResponse,
  type SeriesQuery,
  type SeriesResponse,
} from './statistics.schemas.js'
import { StatisticsService } from './statistics.service.js'

/** Time between two events of a stream, in milliseconds. */
const streamIntervalMs = 1_000

@ApiTags('statistics')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/stats')
export class StatisticsController {
  constructor(
    private readonly statistics: StatisticsService,
    private readonly streams: EventStreams,
  ) {}

  @Get('series')
  @RequireRole('viewer')
  @ApiOperation({
    summary: 'Ended tasks over time: counts by outcome, percentiles of wait and run, depth and workers of queues',
    description:
      'Counted from the tasks themselves, each once, and kept when they are removed: minutes for 14 days, hours for 400, days for ever. Times are UTC, and points begin at multiples of the step.',
  })
  @ApiResponse({ status: 200, description: 'The series', standardSchema: seriesResponse })
  series(@Query({ schema: seriesQuery }) query: SeriesQuery): Promise<SeriesResponse> {
    return this.statistics.readSeries(query)
  }

  @Get('now')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'How the queues stand now' })
  @ApiResponse({ status: 200, description: 'The queues', standardSchema: nowResponse })
  now(): Promise<NowResponse> {
    return this.statistics.now.get()
  }

  @Get('now/events')
  @RequireRole('viewer')
  @Produces('text/event-stream')
  @ApiOperation({
    summary: 'How the queues stand, once a second',
    description: 'Server-sent events named `statistics`, whose data is the response of `GET /v1/stats/now`.',
  })
  @ApiResponse({
    status: 200,
    description: 'The stream; it has no end',
    content: { 'text/event-stream': { schema: documentedEvent(['statistics'], nowResponse) } },
  })
  @ApiResponse({ status: 503, description: 'Too many streams are open here', standardSchema: problemSchema })
  async nowEvents(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.streams.serve(request, reply, (signal) => ({ events: this.follow(signal) }))
  }

  private async *follow(signal: AbortSignal): AsyncGenerator<StreamEvent> {
    while (!signal.aborted) {
      yield { event: 'statistics', data: await this.statistics.now.get() }
      // A stream that was ended meanwhile notices it a second later at most.
      await pause(streamIntervalMs, undefined, { ref: false })
    }
  }
}
