import { setTimeout as pause } from 'node:timers/promises'
import {
  WorkerCommandRepository,
  WorkerRepository,
  type CommandOutcome,
  type SeenWorker,
  type WorkerStats,
} from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { workerCommandNames, workerCommands, type WorkerCommandName } from '#libs/tasks'
import { Body, Controller, Get, Param, Post, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { AuditTrail, callerOf } from '../access/audit-trail.js'
import { faultsOf, problemSchema } from '../http/problem.js'
import { OptionalBody } from '../openapi/documented-bodies.js'

/** How long to wait for a command, and how often to poll its row, in milliseconds. */
const acknowledgeMs = 5_000
const pollMs = 25

const workerResponse = z
  .strictObject({
    name: z.string(),
    id: z.uuid().describe('Identity of this process among those of its name'),
    state: z.enum(['starting', 'ready', 'draining', 'stopped', 'stale']).describe('stale: no heartbeat for 15 s'),
    hostname: z.string(),
    pid: z.int(),
    queues: z.array(z.string()),
    pool: z.string(),
    concurrency: z.int(),
    stats: z.record(z.string(), z.number()),
    limits: z
      .record(
        z.string(),
        z.strictObject({
          rate_per_second: z.number().optional(),
          soft_seconds: z.number().optional(),
          hard_seconds: z.number().optional(),
        }),
      )
      .describe('Limits set by the commands rate-limit and time-limit, by task'),
    duplicates: z.int().describe('Other live processes with this name: commands do not reach them'),
    tasks: z.array(z.string()),
    models: z.array(z.string()),
    versions: z.record(z.string(), z.string()),
    started_at: z.iso.datetime(),
    heartbeat_at: z.iso.datetime(),
  })
  .meta({ id: 'Worker' })

type WorkerResponse = z.infer<typeof workerResponse>

const workerPage = z.strictObject({ items: z.array(workerResponse), next_cursor: z.null() }).meta({ id: 'WorkerPage' })

const commandResponse = z
  .strictObject({
    id: z.uuid(),
    worker: z.string(),
    command: z.enum(workerCommandNames),
    acknowledged: z.boolean(),
    answer: z.unknown(),
    error: z.string().nullable(),
  })
  .meta({ id: 'WorkerCommand' })

type CommandResponse = z.infer<typeof commandResponse>

const workerName = z.string().max(256)
const commandName = z.enum(workerCommandNames, { error: `must be one of ${workerCommandNames.join(', ')}` })
const commandBody = z
  .record(z.string(), z.unknown())
  .nullish()
  .describe('n for pool-grow and pool-shrink; queue for consumers; task with rate, or with soft and hard; immediate')

@ApiTags('workers')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/workers')
export class WorkersController {
  constructor(
    private readonly workers: WorkerRepository,
    private readonly commands: WorkerCommandRepository,
    private readonly audit: AuditTrail,
  ) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The workers of the last day, from their heartbeats' })
  @ApiResponse({ status: 200, description: 'The workers', standardSchema: workerPage })
  async list(): Promise<{ items: WorkerResponse[]; next_cursor: null }> {
    return { items: (await this.workers.listLast()).map(toResponse), next_cursor: null }
  }

  @Get(':name')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'One worker' })
  @ApiResponse({ status: 200, description: 'The worker', standardSchema: workerResponse })
  async get(@Param('name', { schema: workerName }) name: string): Promise<WorkerResponse> {
    return toResponse(await this.getLast(name))
  }

  @Post(':name/:command')
  @RequireRole('operator')
  @OptionalBody()
  @ApiOperation({ summary: 'Send a command to a worker, and wait up to 5 s for its response' })
  @ApiResponse({ status: 200, description: 'Done', standardSchema: commandResponse })
  @ApiResponse({
    status: 202,
    description: 'Stored; the worker has not responded yet',
    standardSchema: commandResponse,
  })
  async command(
    @Param('name', { schema: workerName }) name: string,
    @Param('command', { schema: commandName }) command: WorkerCommandName,
    @Body({ schema: commandBody }) body: Record<string, unknown> | null | undefined,
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandResponse> {
    const parsed = workerCommands[command].safeParse(body ?? {})
    if (!parsed.success) {
      const faults = faultsOf(parsed.error.issues)
      throw new MemoryGuardError('REQUEST_INVALID', 'The command does not take these arguments; see `errors`.', {
        faults,
      })
    }
    const { worker } = await this.getLast(name)
    if (worker.state === 'stopped') throw new MemoryGuardError('TASK_STATE_CONFLICT', 'This worker has stopped.')
    const id = uuidv7()
    await this.audit.change(
      callerOf(request),
      (database) => new WorkerCommandRepository(database).send(worker.id, { id, command, args: parsed.data }),
      () => ({ action: `worker.${command}`, target: name, details: parsed.data }),
    )
    const { isAcknowledged, answer, error } = await this.waitFor(id)
    void reply.status(isAcknowledged ? 200 : 202)
    if (error !== null) throw new MemoryGuardError('REQUEST_INVALID', error)
    return { id, worker: name, command, acknowledged: isAcknowledged, answer, error }
  }

  private async waitFor(id: string): Promise<CommandOutcome> {
    const deadline = Date.now() + acknowledgeMs
    for (;;) {
      const outcome = await this.commands.read(id)
      if (outcome.isAcknowledged || Date.now() >= deadline) return outcome
      await pause(pollMs)
    }
  }

  private async getLast(name: string): Promise<SeenWorker> {
    const [seen] = await this.workers.listLast(name)
    if (!seen) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such worker.')
    return seen
  }
}

const countersOf = (stats: WorkerStats): Record<string, number> =>
  Object.fromEntries(Object.entries(stats).filter((entry): entry is [string, number] => typeof entry[1] === 'number'))

const limitsOf = ({ limits }: WorkerStats): WorkerResponse['limits'] => (typeof limits === 'object' ? limits : {})

const toResponse = ({ worker, isStale, duplicates }: SeenWorker): WorkerResponse => ({
  name: worker.name,
  id: worker.id,
  state: isStale ? 'stale' : worker.state,
  hostname: worker.hostname,
  pid: worker.pid,
  queues: worker.queues,
  pool: worker.pool,
  concurrency: worker.concurrency,
  stats: countersOf(worker.stats),
  limits: limitsOf(worker.stats),
  duplicates,
  tasks: worker.tasks,
  models: worker.models,
  versions: worker.versions,
  started_at: worker.startedAt.toISOString(),
  heartbeat_at: worker.heartbeatAt.toISOString(),
})
