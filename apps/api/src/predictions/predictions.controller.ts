import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import {
  CurrentPrincipal,
  principalOf,
  RequireRole,
  type Principal,
  type RequestWithPrincipal,
} from '../access/access.js'
import { parseIdempotencyKey } from '../http/idempotency-key.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { problemSchema } from '../http/problem.js'
import {
  predictionResponse,
  predictionId,
  predictionPage,
  predictionQuery,
  predictionRequest,
  type PredictionResponse,
  type PredictionQuery,
  type PredictionRequest,
} from './predictions.schemas.js'
import { PredictionsService } from './predictions.service.js'

@ApiTags('predictions')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/predictions')
export class PredictionsController {
  constructor(private readonly predictions: PredictionsService) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(202)
  @ApiOperation({ summary: 'Submit health metrics for a prediction' })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'The same key and body make one prediction' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued', standardSchema: predictionResponse })
  @ApiResponse({ status: 200, description: 'Finished in time', standardSchema: predictionResponse })
  async submit(
    @Body({ schema: predictionRequest }) body: PredictionRequest,
    // Each decorated parameter costs a pass through the pipes: on this route, one request object serves for all.
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PredictionResponse> {
    const { headers } = request
    const waitSeconds = waitSecondsOf(headers.prefer)
    const key = parseIdempotencyKey(headers['idempotency-key'])
    const response = await this.predictions.submit(body, principalOf(request), key, waitSeconds)
    respondToSubmission(reply, {
      location: `/v1/predictions/${response.id}`,
      taskId: response.task_id,
      state: response.state,
      waitSeconds,
    })
    return response
  }

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'List predictions, newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: predictionPage })
  list(@Query({ schema: predictionQuery }) query: PredictionQuery, @CurrentPrincipal() principal: Principal) {
    return this.predictions.list(query, principal)
  }

  @Get(':id')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A prediction with its state and, when it has succeeded, its result' })
  @ApiResponse({ status: 200, description: 'The prediction', standardSchema: predictionResponse })
  get(@Param('id', { schema: predictionId }) id: number, @CurrentPrincipal() principal: Principal) {
    return this.predictions.get(id, principal)
  }
}
