import { PredictionRepository, type StoredRisk } from '#libs/database'
import { ModelRegistry, type Risk } from '#libs/ml'
import { MemoryGuardError, type Settled } from '#libs/platform'
import { processPrediction } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { Shadows } from '../execution/shadows.js'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'

type Started = StartedTask<typeof processPrediction>

const gone = 'Its prediction no longer exists.'

/** Computes the risks of many people in one inference call for each model among them. */
@Injectable()
export class ProcessPredictionHandler implements TaskHandler<typeof processPrediction, Risk> {
  readonly contract = processPrediction

  constructor(
    private readonly models: ModelRegistry,
    private readonly predictions: PredictionRepository,
    private readonly shadows: Shadows,
  ) {}

  async compute(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<Risk>[]> {
    const outcomes = new Map<number, Settled<Risk>>()
    await Promise.all(
      [...indexesByModel(tasks)].map(async ([model, indexes]) => {
        const settled = await this.computeModel(model, indexes, tasks, context)
        indexes.forEach((index, row) => {
          const outcome = settled[row]
          if (outcome) outcomes.set(index, outcome)
        })
      }),
    )
    return tasks.map((_, index) => outcomes.get(index) ?? { error: new MemoryGuardError('RESOURCE_GONE', gone) })
  }

  store(computed: readonly Computed<Risk>[]): Promise<ReadonlySet<string>> {
    return this.predictions.storeRisks(
      computed.flatMap(({ task, output }): StoredRisk[] =>
        task.prediction === null
          ? []
          : [
              {
                taskId: task.id,
                attempt: task.attempt,
                riskScore: output.score,
                riskCategory: output.category,
                outputs: output.outputs,
              },
            ],
      ),
    )
  }

  private async computeModel(
    model: string,
    indexes: readonly number[],
    tasks: readonly Started[],
    { hardLimitMs, killSignal }: TaskContext,
  ): Promise<readonly Settled<Risk>[]> {
    const people = indexes.map((index) => tasks[index]?.prediction?.healthMetrics ?? {})
    try {
      const risks = await this.models.predict(model, people, hardLimitMs, { killSignal })
      this.shadows.observe(model, people, risks)
      return risks.map((risk) => (risk instanceof MemoryGuardError ? { error: risk } : { value: risk }))
    } catch (error) {
      return indexes.map(() => ({ error }))
    }
  }
}

const indexesByModel = (tasks: readonly Started[]): ReadonlyMap<string, readonly number[]> => {
  const groups = new Map<string, number[]>()
  tasks.forEach(({ prediction }, index) => {
    if (!prediction) return
    const group = groups.get(prediction.model)
    if (group) group.push(index)
    else groups.set(prediction.model, [index])
  })
  return groups
}
