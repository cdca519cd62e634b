import { HealthMetricsRepository, type Measurement } from '#libs/database'
import { checkMeasurement, ModelCatalogue } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CurrentPrincipal, mustReach, RequireRole, type Principal } from '../access/access.js'
import { AuditTrail } from '../access/audit-trail.js'
import { pathId } from '../http/path-id.js'
import { problemSchema } from '../http/problem.js'
import {
  measurementResponse,
  measurementPage,
  measurementQuery,
  measurementRequest,
  type MeasurementResponse,
  type MeasurementPage,
  type MeasurementQuery,
  type MeasurementRequest,
} from './health-metrics.schemas.js'

/** What is wrong with a measurement that contradicts one that stands there. */
const conflicts = {
  time: 'has other metrics already; delete that measurement first to correct it',
  day: 'is a day (UTC) that has an MMSE already; delete that measurement first to correct it',
} as const

@ApiTags('health metrics')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/users/:user_id/health-metrics')
export class HealthMetricsController {
  constructor(
    private readonly measurements: HealthMetricsRepository,
    private readonly catalogue: ModelCatalogue,
    private readonly audit: AuditTrail,
  ) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(201)
  @ApiOperation({ summary: 'Record a dated measurement; forecasts are made from these' })
  @ApiResponse({ status: 201, description: 'Recorded', standardSchema: measurementResponse })
  @ApiResponse({ status: 200, description: 'The same was recorded before', standardSchema: measurementResponse })
  async record(
    @Param('user_id', { schema: pathId }) userId: number,
    @Body({ schema: measurementRequest }) body: MeasurementRequest,
    @CurrentPrincipal() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<MeasurementResponse> {
    mustReach(principal, userId)
    const metrics = checkMeasurement(this.catalogue, body.health_metrics)
    const recordedAt = new Date(body.recorded_at)
    const recording = await this.measurements.record({ userId, recordedAt, metrics, recordedBy: principal.id })
    if (!('measurement' in recording)) {
      throw new MemoryGuardError('MEASUREMENT_CONFLICT', 'The person has another measurement of that time.', {
        faults: [{ pointer: '/recorded_at', message: conflicts[recording.kind] }],
      })
    }
    if (recording.kind === 'known') void reply.status(200)
    return toResponse(recording.measurement)
  }

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'List the measurements of a person, newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: measurementPage })
  async list(
    @Param('user_id', { schema: pathId }) userId: number,
    @Query({ schema: measurementQuery }) { cursor, limit }: MeasurementQuery,
    @CurrentPrincipal() principal: Principal,
  ): Promise<MeasurementPage> {
    mustReach(principal, userId)
    const before = cursor === undefined ? undefined : new Date(Number(cursor))
    const found = await this.measurements.list(userId, limit + 1, before)
    const items = found.slice(0, limit)
    const last = items.at(-1)
    return {
      items: items.map(toResponse),
      next_cursor: found.length > limit && last ? String(last.recordedAt.getTime()) : null,
    }
  }

  @Delete(':id')
  @RequireRole('submitter')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a measurement, for example a mistyped one' })
  @ApiResponse({ status: 204, description: 'Removed; forecasts that were made from it stay as they are' })
  async remove(
    @Param('user_id', { schema: pathId }) userId: number,
    @Param('id', { schema: pathId }) id: number,
    @CurrentPrincipal() principal: Principal,
    @Req() { id: requestId }: FastifyRequest,
  ): Promise<void> {
    mustReach(principal, userId)
    const person = await this.audit.pseudonymOf(userId)
    await this.audit.change(
      { principal, requestId },
      async (database) => {
        if (await new HealthMetricsRepository(database).remove(userId, id)) return
        throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'This person has no such measurement.')
      },
      () => ({ action: 'measurement.delete', target: String(id), details: { person } }),
    )
  }
}

const toResponse = ({ id, userId, recordedAt, metrics, createdAt }: Measurement): MeasurementResponse => ({
  id,
  user_id: userId,
  recorded_at: recordedAt.toISOString(),
  health_metrics: { ...metrics },
  created_at: createdAt.toISOString(),
})
