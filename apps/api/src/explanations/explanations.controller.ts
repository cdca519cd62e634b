import { Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { problemSchema } from '../http/problem.js'
import { predictionId } from '../predictions/predictions.schemas.js'
import {
  explanationResponse,
  explanationQuery,
  type ExplanationResponse,
  type ExplanationQuery,
} from './explanations.schemas.js'
import { ExplanationsService } from './explanations.service.js'

@ApiTags('explanations')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/predictions/:id/explanation')
export class ExplanationsController {
  constructor(private readonly explanations: ExplanationsService) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(202)
  @ApiOperation({ summary: 'Explain a prediction; asking again returns the same explanation' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued', standardSchema: explanationResponse })
  @ApiResponse({
    status: 200,
    description: 'There is one, or it was finished in time',
    standardSchema: explanationResponse,
  })
  async request(
    @Param('id', { schema: predictionId }) id: number,
    @Query({ schema: explanationQuery }) { output }: ExplanationQuery,
    @Headers('prefer') prefer: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ExplanationResponse> {
    const waitSeconds = waitSecondsOf(prefer)
    const response = await this.explanations.request(id, output, principal, waitSeconds)
    const query = output === undefined ? '' : `?output=${encodeURIComponent(output)}`
    respondToSubmission(reply, {
      location: `/v1/predictions/${id}/explanation${query}`,
      taskId: response.task_id,
      state: response.state,
      waitSeconds,
    })
    return response
  }

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The explanation of a prediction with its state' })
  @ApiResponse({ status: 200, description: 'The explanation', standardSchema: explanationResponse })
  get(
    @Param('id', { schema: predictionId }) id: number,
    @Query({ schema: explanationQuery }) { output }: ExplanationQuery,
    @CurrentPrincipal() principal: Principal,
  ): Promise<ExplanationResponse> {
    return this.explanations.get(id, output, principal)
  }
}
