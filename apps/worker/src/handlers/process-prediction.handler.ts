import { PredictionRepository } from '#libs/database'
import { RiskModels, type Risk } from '#libs/ml'
import { MemoryGuardError, type Settled } from '#libs/platform'
import { processPrediction } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import { Shadows } from '../execution/shadows.js'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'
import { settleGroups } from './settle-groups.js'

type Started = StartedTask<typeof processPrediction>

/** Computes the risks of many people in one inference call for each model among them. */
@Injectable()
export class ProcessPredictionHandler implements TaskHandler<typeof processPrediction, Risk> {
  readonly contract = processPrediction

  constructor(
    private readonly models: RiskModels,
    private readonly predictions: PredictionRepository,
    private readonly shadows: Shadows,
  ) {}

  compute(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<Risk>[]> {
    return settleGroups(tasks, modelOf, gone, (group) => this.computeGroup(group, context))
  }

  store(computed: readonly Computed<Risk>[]): Promise<ReadonlySet<string>> {
    return this.predictions.storeRisks(
      computed.map(({ task, output }) => ({
        taskId: task.id,
        attempt: task.attempt,
        riskScore: output.score,
        riskCategory: output.category,
        outputs: output.outputs,
      })),
    )
  }

  /** Computes all at once; if that fails, each half for itself, so that only those fail whom the model cannot compute. */
  private async computeGroup(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<Risk>[]> {
    const { hardLimitMs, killSignal } = context
    const model = tasks[0]?.prediction?.model ?? ''
    const people = tasks.map(({ prediction }) => prediction?.healthMetrics ?? {})
    try {
      const risks = await this.models.predict(model, people, hardLimitMs, { killSignal })
      this.shadows.observe(model, people, risks)
      return risks.map((risk) => (risk instanceof MemoryGuardError ? { error: risk } : { value: risk }))
    } catch (error) {
      const isModels = error instanceof MemoryGuardError && error.code === 'MODEL_OUTPUT_INVALID'
      if (!isModels || tasks.length === 1) return tasks.map(() => ({ error }))
      const half = tasks.length >> 1
      const halves = [tasks.slice(0, half), tasks.slice(half)]
      return (await Promise.all(halves.map((part) => this.computeGroup(part, context)))).flat()
    }
  }
}

const modelOf = ({ prediction }: Started): string | undefined => prediction?.model

const gone = (): MemoryGuardError => new MemoryGuardError('RESOURCE_GONE', 'Its prediction no longer exists.')
