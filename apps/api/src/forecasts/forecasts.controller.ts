import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentPrincipal, mustReach, principalOf, RequireRole } from '../access/access.js'
import type { Principal, RequestWithPrincipal } from '../access/access.js'
import { pathId } from '../http/path-id.js'
import { parseIdempotencyKey } from '../http/idempotency-key.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { problemSchema } from '../http/problem.js'
import { OptionalBody } from '../openapi/documented-bodies.js'
import {
  forecastResponse,
  forecastRequest,
  type ForecastResponse,
  type ForecastSubmission,
} from './forecasts.schemas.js'
import { ForecastsService } from './forecasts.service.js'

@ApiTags('forecasts')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/users/:user_id/forecasts')
export class ForecastsController {
  constructor(private readonly forecasts: ForecastsService) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(202)
  @OptionalBody()
  @ApiOperation({ summary: "Forecast a person's MMSE from their recorded measurements" })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'The same key and request make one forecast' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued, or already waiting', standardSchema: forecastResponse })
  @ApiResponse({ status: 200, description: 'Finished in time', standardSchema: forecastResponse })
  async request(
    @Param('user_id', { schema: pathId }) person: number,
    @Body({ schema: forecastRequest }) { horizons_months }: ForecastSubmission,
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ForecastResponse> {
    const principal = principalOf(request)
    mustReach(principal, person)
    const waitSeconds = waitSecondsOf(request.headers.prefer)
    const key = parseIdempotencyKey(request.headers['idempotency-key'])
    const response = await this.forecasts.request(person, horizons_months, waitSeconds, principal, key)
    respondToSubmission(reply, {
      location: `/v1/users/${person}/forecasts/latest`,
      taskId: response.task_id,
      state: response.state,
      waitSeconds,
    })
    return response
  }

  @Get('latest')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The forecast of a person that was made last' })
  @ApiResponse({ status: 200, description: 'The forecast', standardSchema: forecastResponse })
  latest(@Param('user_id', { schema: pathId }) person: number, @CurrentPrincipal() principal: Principal) {
    mustReach(principal, person)
    return this.forecasts.getLatest(person)
  }
}
