import { QueueRepository } from '#libs/database'
import { SharedResult } from '#libs/health'
import { MemoryGuardError, queueNames, type QueueName } from '#libs/platform'
import { Broker, QueueStandings, Reconciler, type QueueDepth } from '#libs/tasks'
import { taskStates } from '#libs/tasks/contracts'
import { Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { AuditTrail, callerOf } from '../access/audit-trail.js'
import { problemSchema } from '../http/problem.js'
import { strictInput } from '../http/strict-input.js'
import { desiredWorkers } from './scaling.js'

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
      .describe('Jobs that the broker holds; null if it does not respond'),
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

const scalingQuery = strictInput({
  target_seconds: z.coerce
    .number({ error: 'must be a number of seconds' })
    .min(1)
    .max(86_400)
    .default(30)
    .describe('Time in which what waits should have started'),
})

type ScalingQuery = z.infer<typeof scalingQuery>

const scalingResponse = z
  .strictObject({
    queue: z.enum(queueNames),
    desired_workers: z.int(),
    waiting: z.int().describe('Tasks that could start and have not'),
    running: z.int(),
    oldest_waiting_seconds: seconds,
    rate_per_second: z.number(),
    consumers: z.int(),
    slots: z.int(),
    busy: z.int(),
    paused: z.boolean(),
  })
  .meta({ id: 'QueueScaling' })

type ScalingResponse = z.infer<typeof scalingResponse>

const queueName = z.enum(queueNames, { error: `must be one of ${queueNames.join(', ')}` })

@ApiTags('queues')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/queues')
export class QueuesController {
  /** Callers at the same moment share one reading. */
  private readonly standings = new SharedResult(() => this.reader.read(), 0)

  constructor(
    private readonly queues: QueueRepository,
    private readonly reader: QueueStandings,
    private readonly broker: Broker,
    private readonly reconciler: Reconciler,
    private readonly audit: AuditTrail,
  ) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'Every queue with its depth, age, rate and consumers' })
  @ApiResponse({ status: 200, description: 'The queues', standardSchema: queuePage })
  async list(): Promise<{ items: QueueResponse[]; next_cursor: null }> {
    const [standings, depths] = await Promise.all([
      this.standings.get(),
      Promise.all(queueNames.map((name) => this.findDepth(name))),
    ])
    const items = standings.map((standing, index): QueueResponse => ({
      name: standing.queue,
      paused: standing.isPaused,
      depth: standing.depth,
      broker: depths[index] ?? null,
      oldest_waiting_seconds: standing.oldestWaitingSeconds,
      rate_per_second: standing.ratePerSecond,
      wait_p95_seconds: standing.waitP95Seconds,
      run_p95_seconds: standing.runP95Seconds,
      consumers: standing.consumers.map(({ name }) => name),
    }))
    return { items, next_cursor: null }
  }

  @Get(':queue/scaling')
  @RequireRole('viewer')
  @ApiOperation({
    summary: 'How many workers a queue needs',
    description:
      'For autoscalers, such as the `metrics-api` trigger of KEDA with `valueLocation: desired_workers`. It is 0 when nothing waits or runs, and when nothing runs in a paused queue.',
  })
  @ApiResponse({ status: 200, description: 'The need', standardSchema: scalingResponse })
  async scaling(
    @Param('queue', { schema: queueName }) name: QueueName,
    @Query({ schema: scalingQuery }) { target_seconds: targetSeconds }: ScalingQuery,
  ): Promise<ScalingResponse> {
    const [standings, secondsOfTask] = await Promise.all([this.standings.get(), this.queues.readSecondsOfTask(name)])
    const standing = standings.find(({ queue }) => queue === name)
    if (!standing) throw new Error(`The queue ${name} has no standing`)
    const consumers = standing.consumers.length
    return {
      queue: name,
      desired_workers: desiredWorkers({ ...standing, consumers, secondsOfTask }, targetSeconds),
      waiting: standing.waiting,
      running: standing.depth.running ?? 0,
      oldest_waiting_seconds: standing.oldestWaitingSeconds,
      rate_per_second: standing.ratePerSecond,
      consumers,
      slots: standing.slots,
      busy: standing.busy,
      paused: standing.isPaused,
    }
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
    await this.tryBroker(() => this.broker.setPaused(name, true))
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
    // It also enqueues again what was refused while the queue was paused.
    await this.tryBroker(() => this.reconciler.run([name]))
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
    // A job that is drained although its task came a moment later is enqueued again by the reconciler.
    await this.tryBroker(() => this.broker.drain(name))
    return { name, paused: (await this.queues.listPaused()).has(name), purged }
  }

  private change(request: RequestWithPrincipal, change: 'pause' | 'resume', name: QueueName): Promise<void> {
    return this.audit.change(
      callerOf(request),
      (database) => new QueueRepository(database)[change](name),
      () => ({ action: `queue.${change}`, target: name }),
    )
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
  private async tryBroker(call: () => Promise<unknown>): Promise<void> {
    try {
      await call()
    } catch (error) {
      if (!isBrokerDown(error)) throw error
    }
  }
}

const isBrokerDown = (error: unknown): boolean =>
  error instanceof MemoryGuardError && error.code === 'BROKER_UNAVAILABLE'
