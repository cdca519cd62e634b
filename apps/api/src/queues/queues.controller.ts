import { QueueRepository, WorkerRepository, type QueueStatistics } from '#libs/database'
import { MemoryGuardError, queueNames, type QueueName } from '#libs/platform'
import { Broker, Reconciler, type QueueDepth } from '#libs/tasks'
import { taskStates } from '#libs/tasks/contracts'
import { Controller, Get, HttpCode, Param, Post, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { AuditTrail, callerOf } from '../access/audit-trail.js'
import { problemSchema } from '../http/problem.js'

const seconds = z.number().nullable()

const queueResponse = z
  .strictObject({
    name: z.enum(queueNames),
    paused: z.boolean(),
    depth: z
      .partialRecord(z.enum(taskStates), z.int())
      .describe(
        'Unfinished tasks by state. Of more than 20,000 in a queue, those due last count as queued, or scheduled if they are not due',
      ),
    broker: z
      .strictObject({ waiting: z.int(), active: z.int(), delayed: z.int() })
      .nullable()
      .describe('Jobs that the broker holds; null if it does not answer'),
    oldest_waiting_seconds: seconds,
    rate_per_second: z.number().describe('Finished tasks each second over the last minutes'),
    wait_p95_seconds: seconds,
    run_p95_seconds: seconds,
    consumers: z.array(z.string()).describe('Names of the workers that consume it now'),
  })
  .meta({ id: 'Queue' })

type QueueResponse = z.infer<typeof queueResponse>

const queuePage = z.strictObject({ items: z.array(queueResponse), next_cursor: z.null() }).meta({ id: 'QueuePage' })

const queueChange = z
  .strictObject({ name: z.enum(queueNames), paused: z.boolean(), purged: z.int().optional() })
  .meta({ id: 'QueueChange' })

type QueueChange = z.infer<typeof queueChange>

const queueName = z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` })

@ApiTags('queues')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/queues')
export class QueuesController {
  private reading: Promise<ReadonlyMap<string, QueueStatistics>> | undefined

  constructor(
    private readonly queues: QueueRepository,
    private readonly workers: WorkerRepository,
    private readonly broker: Broker,
    private readonly reconciler: Reconciler,
    private readonly audit: AuditTrail,
  ) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'Every queue with its depth, age, rate and consumers' })
  @ApiResponse({ status: 200, description: 'The queues', standardSchema: queuePage })
  async list(): Promise<{ items: QueueResponse[]; next_cursor: null }> {
    const [statistics, paused, workers, depths] = await Promise.all([
      this.readStatistics(),
      this.queues.listPaused(),
      this.workers.listLast(),
      Promise.all(queueNames.map((name) => this.findDepth(name))),
    ])
    const alive = workers.filter(({ worker, isStale }) => worker.state === 'ready' && !isStale)
    const items = queueNames.map((name, index): QueueResponse => {
      const known: QueueStatistics | undefined = statistics.get(name)
      return {
        name,
        paused: paused.has(name),
        depth: known?.depth ?? {},
        broker: depths[index] ?? null,
        oldest_waiting_seconds: known?.oldestWaitingSeconds ?? null,
        rate_per_second: known?.ratePerSecond ?? 0,
        wait_p95_seconds: known?.waitP95Seconds ?? null,
        run_p95_seconds: known?.runP95Seconds ?? null,
        consumers: alive.filter(({ worker }) => worker.queues.includes(name)).map(({ worker }) => worker.name),
      }
    })
    return { items, next_cursor: null }
  }

  @Post(':queue/pause')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Start no further task of the queue; running ones go on' })
  @ApiResponse({ status: 200, description: 'Paused', standardSchema: queueChange })
  async pause(
    @Param('queue', { schema: queueName }) name: QueueName,
    @Req() request: RequestWithPrincipal,
  ): Promise<QueueChange> {
    await this.change(request, 'pause', name)
    await this.tellBroker(() => this.broker.setPaused(name, true))
    return { name, paused: true }
  }

  @Post(':queue/resume')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Start tasks of the queue again' })
  @ApiResponse({ status: 200, description: 'Resumed', standardSchema: queueChange })
  async resume(
    @Param('queue', { schema: queueName }) name: QueueName,
    @Req() request: RequestWithPrincipal,
  ): Promise<QueueChange> {
    await this.change(request, 'resume', name)
    // It also dispatches again what was refused while the queue was paused.
    await this.tellBroker(() => this.reconciler.run([name]))
    return { name, paused: false }
  }

  @Post(':queue/purge')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Cancel every task of the queue that has not started' })
  @ApiResponse({ status: 200, description: 'How many were cancelled', standardSchema: queueChange })
  async purge(
    @Param('queue', { schema: queueName }) name: QueueName,
    @Req() request: RequestWithPrincipal,
  ): Promise<QueueChange> {
    const purged = await this.audit.change(
      callerOf(request),
      (database) => new QueueRepository(database).purge(name),
      (count) => ({ action: 'queue.purge', target: name, details: { purged: count } }),
    )
    // A job that is drained although its task came a moment later is dispatched again by the reconciler.
    await this.tellBroker(() => this.broker.drain(name))
    return { name, paused: (await this.queues.listPaused()).has(name), purged }
  }

  private change(request: RequestWithPrincipal, change: 'pause' | 'resume', name: QueueName): Promise<void> {
    return this.audit.change(
      callerOf(request),
      (database) => new QueueRepository(database)[change](name),
      () => ({ action: `queue.${change}`, target: name }),
    )
  }

  /** Callers at the same moment share one reading. */
  private readStatistics(): Promise<ReadonlyMap<string, QueueStatistics>> {
    this.reading ??= this.queues.readStatistics().finally(() => (this.reading = undefined))
    return this.reading
  }

  private async findDepth(name: QueueName): Promise<QueueDepth | null> {
    try {
      return await this.broker.depth(name)
    } catch (error) {
      if (isBrokerDown(error)) return null
      throw error
    }
  }

  /** The change is already in the database; if the broker is down, the reconciler passes it on when the broker is back. */
  private async tellBroker(tell: () => Promise<unknown>): Promise<void> {
    try {
      await tell()
    } catch (error) {
      if (!isBrokerDown(error)) throw error
    }
  }
}

const isBrokerDown = (error: unknown): boolean =>
  error instanceof MemoryGuardError && error.code === 'BROKER_UNAVAILABLE'
