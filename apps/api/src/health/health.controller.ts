import { DatabaseReadiness } from '#libs/database'
import { ModelCatalogue } from '#libs/ml/manifest'
import { lateAnswer, readinessCheckMs, withinTime } from '#libs/platform'
import { Broker, BrokerNotes } from '#libs/tasks'
import { Controller, Get, HttpException, Res } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import { HealthCheckService, HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus'
import type { FastifyReply } from 'fastify'
import { Public } from '../access/access.js'
import { Produces } from '../http/acceptable.js'
import { ApiMetrics } from './api-metrics.js'
import { Lifecycle } from './lifecycle.js'

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: Lifecycle,
    private readonly database: DatabaseReadiness,
    private readonly broker: Broker,
    private readonly notes: BrokerNotes,
    private readonly catalogue: ModelCatalogue,
    private readonly metrics: ApiMetrics,
  ) {}

  @Get('livez')
  @Public()
  @ApiOperation({ summary: 'The process turns; asks no dependency' })
  live() {
    return { status: 'ok' }
  }

  @Get('startupz')
  @Public()
  @ApiOperation({ summary: 'The start has finished' })
  async start(@Res({ passthrough: true }) reply: FastifyReply) {
    const started = this.lifecycle.state !== 'starting'
    if (!started) void reply.status(503)
    return { started }
  }

  @Get('readyz')
  @Public()
  @ApiOperation({
    summary:
      'It can take requests and store them: database, models, not stopping. `broker` and `notes` are only told: an outage of the broker, and settings of it that may lose queues',
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { lifecycle, catalogue } = this
    const checks = [
      () => this.check('lifecycle', async () => lifecycle.state === 'ready' || lifecycle.state),
      () => this.check('models', async () => catalogue.defaultFault ?? true),
      () => this.check('database', async () => (await this.database.findFault()) ?? true),
    ]
    const [outcome, broker] = await Promise.all([this.outcomeOf(this.health.check(checks)), this.brokerState()])
    if (!outcome.isUp) void reply.status(503)
    return { ...outcome.result, broker, notes: this.notes.current }
  }

  @Get('metrics')
  @Public()
  @Produces('text/plain')
  @ApiOperation({ summary: 'Metrics in the text format of Prometheus' })
  async readMetrics(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    void reply.type(this.metrics.registry.contentType)
    return this.metrics.registry.metrics()
  }

  /** Terminus throws what it has found if anything of it is down. */
  private async outcomeOf(checking: Promise<object>): Promise<{ readonly isUp: boolean; readonly result: object }> {
    try {
      return { isUp: true, result: await checking }
    } catch (error) {
      if (!(error instanceof HttpException)) return { isUp: false, result: { status: 'error' } }
      const found = error.getResponse()
      return { isUp: false, result: typeof found === 'object' ? found : { status: 'error' } }
    }
  }

  /** `true`, or the words for what is wrong. */
  private async check(name: string, ask: () => Promise<boolean | string>): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check(name)
    try {
      const answer = await withinTime(ask(), readinessCheckMs, lateAnswer)
      return answer === true ? indicator.up() : indicator.down({ message: String(answer) })
    } catch {
      return indicator.down({ message: 'does not answer' })
    }
  }

  /** With the broker down, submissions are taken all the same and dispatched later: no reason to send callers away. */
  private async brokerState(): Promise<'up' | 'down'> {
    try {
      const asked = this.broker.assertWritable().then(() => 'up' as const)
      return await withinTime(asked, readinessCheckMs, 'down' as const)
    } catch {
      return 'down'
    }
  }
}
