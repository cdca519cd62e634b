import { ExplanationRepository, type StoredExplanation } from '#libs/database'
import { RiskModels, type RiskExplanation } from '#libs/ml'
import { MemoryGuardError, type Settled } from '#libs/platform'
import { generateExplanation } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'
import { settleGroups } from './settle-groups.js'

type Started = StartedTask<typeof generateExplanation>

/** Explains predictions from their stored inputs, with the model version that was fixed when they were submitted. */
@Injectable()
export class GenerateExplanationHandler implements TaskHandler<typeof generateExplanation, RiskExplanation> {
  readonly contract = generateExplanation

  constructor(
    private readonly models: RiskModels,
    private readonly explanations: ExplanationRepository,
  ) {}

  async compute(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<RiskExplanation>[]> {
    const withoutRisk = await this.explanations.listEndedWithoutRisk(
      tasks.flatMap(({ prediction }) => prediction?.id ?? []),
    )
    return settleGroups(
      tasks,
      ({ prediction, args }) =>
        prediction && !withoutRisk.has(prediction.id) ? `${prediction.model} ${args.output ?? ''}` : undefined,
      nothingToExplain,
      (group) => this.explain(group, context),
    )
  }

  /** Explains all people at once; if that fails, one by one, so that only those fail whom the model cannot explain. */
  private async explain(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<RiskExplanation>[]> {
    const { hardLimitMs, killSignal, progress } = context
    const model = tasks[0]?.prediction?.model ?? ''
    const people = tasks.map(({ prediction }) => prediction?.healthMetrics ?? {})
    const report = (done: number, total: number) => progress(tasks, { stage: 'sampling', done, total })
    try {
      const explained = await this.models.explain(model, tasks[0]?.args.output, people, hardLimitMs, killSignal, report)
      return explained.map((value) => ({ value }))
    } catch (error) {
      const isModels = error instanceof MemoryGuardError && error.code === 'MODEL_OUTPUT_INVALID'
      if (!isModels || tasks.length === 1) return tasks.map(() => ({ error }))
      return (await Promise.all(tasks.map((task) => this.explain([task], context)))).flat()
    }
  }

  store(computed: readonly Computed<RiskExplanation>[]): Promise<ReadonlySet<string>> {
    return this.explanations.storeExplanations(
      computed.flatMap(({ task, output }): StoredExplanation[] =>
        task.prediction === null
          ? []
          : [
              {
                ...output,
                taskId: task.id,
                attempt: task.attempt,
                predictionId: Number(task.prediction.id),
                model: task.prediction.model,
                contributions: output.contributions.map(({ standardError, ...contribution }) => ({
                  ...contribution,
                  ...(standardError !== undefined && { standard_error: standardError }),
                })),
              },
            ],
      ),
    )
  }
}

const nothingToExplain = ({ prediction }: Started): MemoryGuardError =>
  prediction
    ? new MemoryGuardError('TASK_STATE_CONFLICT', 'Its prediction has ended without a result.')
    : new MemoryGuardError('RESOURCE_GONE', 'Its prediction no longer exists.')
