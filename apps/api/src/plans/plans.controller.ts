import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CurrentPrincipal, RequireRole, type Principal, type RequestWithPrincipal } from '../access/access.js'
import { callerOf } from '../access/audit-trail.js'
import { problemSchema } from '../http/problem.js'
import {
  planId,
  planPage,
  planQuery,
  planRequest,
  planResponse,
  type PlanPage,
  type PlanQuery,
  type PlanRequest,
  type PlanResponse,
} from './plans.schemas.js'
import { PlansService } from './plans.service.js'

@ApiTags('plans')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/plans')
export class PlansController {
  constructor(private readonly plans: PlansService) {}

  @Post()
  @RequireRole('operator')
  @HttpCode(201)
  @ApiOperation({ summary: 'Choose the tasks of a change, and count them; nothing is changed until the plan is run' })
  @ApiResponse({ status: 201, description: 'The plan, to be run within five minutes', standardSchema: planResponse })
  async create(
    @Body({ schema: planRequest }) body: PlanRequest,
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PlanResponse> {
    const plan = await this.plans.create(body, callerOf(request))
    void reply.header('location', `/v1/plans/${plan.id}`)
    return plan
  }

  @Post(':id/run')
  @RequireRole('operator')
  @HttpCode(202)
  @ApiOperation({ summary: 'Make the change, of exactly the chosen tasks; running a plan again changes nothing' })
  @ApiResponse({ status: 202, description: 'The plan with its progress', standardSchema: planResponse })
  async run(
    @Param('id', { schema: planId }) id: string,
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PlanResponse> {
    const plan = await this.plans.run(id, callerOf(request))
    void reply.header('location', `/v1/plans/${id}`).header('retry-after', 1)
    return plan
  }

  @Get()
  @RequireRole('operator')
  @ApiOperation({ summary: 'Plans, newest first; finished ones are kept for 30 days' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: planPage })
  list(@Query({ schema: planQuery }) query: PlanQuery, @CurrentPrincipal() principal: Principal): Promise<PlanPage> {
    return this.plans.list(query, principal)
  }

  @Get(':id')
  @RequireRole('operator')
  @ApiOperation({ summary: 'A plan with its progress' })
  @ApiResponse({ status: 200, description: 'The plan', standardSchema: planResponse })
  get(@Param('id', { schema: planId }) id: string, @CurrentPrincipal() principal: Principal): Promise<PlanResponse> {
    return this.plans.get(id, principal)
  }
}
