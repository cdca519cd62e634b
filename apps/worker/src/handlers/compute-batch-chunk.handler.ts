import { BatchRepository, isDatabaseUnavailable, type StoredChunk } from '#libs/database'
import { RiskModels } from '#libs/ml'
import { LOGGER, MemoryGuardError, type Logger, type Settled } from '#libs/platform'
import { computeBatchChunk, type ArgsOf } from '#libs/tasks/contracts'
import { Inject, Injectable } from '@nestjs/common'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'

type Chunk = typeof computeBatchChunk

/** The results of a chunk, without what names its attempt. */
type ChunkRisks = Omit<StoredChunk, 'taskId' | 'attempt'>

const gone = 'The rows of this chunk no longer exist.'
const revoked = 'The batch was cancelled before this row.'

/** Computes the people of a chunk in one inference call. One person without a result leaves the others alone. */
@Injectable()
export class ComputeBatchChunkHandler implements TaskHandler<Chunk, ChunkRisks> {
  readonly contract = computeBatchChunk

  constructor(
    private readonly models: RiskModels,
    private readonly batches: BatchRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  compute(tasks: readonly StartedTask<Chunk>[], context: TaskContext): Promise<readonly Settled<ChunkRisks>[]> {
    return Promise.all(
      tasks.map(async ({ args }) => {
        try {
          return { value: await this.computeChunk(args, context) }
        } catch (error) {
          return { error }
        }
      }),
    )
  }

  async store(computed: readonly Computed<ChunkRisks>[]): Promise<ReadonlySet<string>> {
    const stored = await this.batches.storeChunks(
      computed.map(({ task, output }) => ({ taskId: task.id, attempt: task.attempt, ...output })),
    )
    await this.close([...new Set(computed.map(({ output }) => output.batchId))])
    return stored
  }

  private async computeChunk(
    { batch_id: batchId, chunk }: ArgsOf<Chunk>,
    { hardLimitMs }: TaskContext,
  ): Promise<ChunkRisks> {
    const found = await this.batches.startChunk(batchId, chunk)
    if (!found) throw new MemoryGuardError('RESOURCE_GONE', gone)
    if (found.isCancelled) throw new MemoryGuardError('TASK_REVOKED', revoked)
    const { model, people } = found.input
    const risks = await this.models.predict(model, people, hardLimitMs, { isBulk: true })
    const computed = {
      batchId,
      chunk,
      scores: Array.from<number | null>({ length: risks.length }).fill(null),
      categories: Array.from<string | null>({ length: risks.length }).fill(null),
      outputs: Array.from<StoredChunk['outputs'][number]>({ length: risks.length }).fill(null),
      failures: {} as Record<number, StoredChunk['failures'][number]>,
    }
    risks.forEach((risk, index) => {
      if (risk instanceof MemoryGuardError) {
        computed.failures[index] = { code: risk.code, message: risk.message }
        return
      }
      computed.scores[index] = risk.score
      computed.categories[index] = risk.category
      computed.outputs[index] = risk.outputs
    })
    return computed
  }

  /** The last chunk ends its batch; should this fail, maintenance does it. */
  private async close(ids: readonly string[]): Promise<void> {
    try {
      await this.batches.closeFinished(ids)
    } catch (error) {
      const level = isDatabaseUnavailable(error) ? 'warn' : 'error'
      this.log[level]({ err: error }, 'finished batch not closed yet')
    }
  }
}
