import { ExplanationRepository, type StoredExplanation } from '#libs/database'
import { ModelRegistry, type RiskExplanation } from '#libs/ml'
import { MemoryGuardError, type Settled } from '#libs/platform'
import { generateExplanation } from '#libs/tasks/contracts'
import { Injectable } from '@nestjs/common'
import type { Computed, StartedTask, TaskContext, TaskHandler } from '../execution/task-handler.js'

type Started = StartedTask<typeof generateExplanation>

/** People whose explanations are computed by one call. */
interface ExplainedGroup {
  readonly model: string
  readonly output: string | undefined
  readonly indexes: number[]
}

/** Explains predictions from their stored inputs, with the model version that was fixed when they were submitted. */
@Injectable()
export class GenerateExplanationHandler implements TaskHandler<typeof generateExplanation, RiskExplanation> {
  readonly contract = generateExplanation

  constructor(
    private readonly models: ModelRegistry,
    private readonly explanations: ExplanationRepository,
  ) {}

  async compute(tasks: readonly Started[], context: TaskContext): Promise<readonly Settled<RiskExplanation>[]> {
    const unanswered = await this.explanations.listUnanswered(tasks.flatMap(({ prediction }) => prediction?.id ?? []))
    const outcomes = new Map<number, Settled<RiskExplanation>>()
    await Promise.all(
      groupsOf(tasks, unanswered).map(async ({ model, output, indexes }) => {
        const people = indexes.map((index) => tasks[index]?.prediction?.healthMetrics ?? {})
        const explained = indexes.flatMap((index) => tasks[index] ?? [])
        const settled = await this.explain(model, output, people, context, (done, total) =>
          context.progress(explained, { stage: 'sampling', done, total }),
        )
        settled.forEach((outcome, row) => outcomes.set(indexes[row] ?? -1, outcome))
      }),
    )
    return tasks.map(({ prediction }, index) => outcomes.get(index) ?? { error: nothingToExplain(prediction !== null) })
  }

  /** All at once; if the model fails, one by one, so that only the person fails of whom it says nothing. */
  private async explain(
    model: string,
    output: string | undefined,
    people: readonly Readonly<Record<string, number>>[],
    context: TaskContext,
    onProgress?: (done: number, total: number) => void,
  ): Promise<readonly Settled<RiskExplanation>[]> {
    const { hardLimitMs, killSignal } = context
    try {
      const explained = await this.models.explain(model, output, people, hardLimitMs, killSignal, onProgress)
      return explained.map((value) => ({ value }))
    } catch (error) {
      const isModels = error instanceof MemoryGuardError && error.code === 'MODEL_OUTPUT_INVALID'
      if (!isModels || people.length === 1) return people.map(() => ({ error }))
      const each = await Promise.all(people.map((person) => this.explain(model, output, [person], context)))
      return each.flat()
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

const groupsOf = (tasks: readonly Started[], unanswered: ReadonlySet<string>): readonly ExplainedGroup[] => {
  const groups = new Map<string, ExplainedGroup>()
  tasks.forEach(({ prediction, args }, index) => {
    if (!prediction || unanswered.has(prediction.id)) return
    const { output } = args
    const key = `${prediction.model} ${output ?? ''}`
    const group = groups.get(key)
    if (group) group.indexes.push(index)
    else groups.set(key, { model: prediction.model, output, indexes: [index] })
  })
  return [...groups.values()]
}

const nothingToExplain = (exists: boolean): MemoryGuardError =>
  exists
    ? new MemoryGuardError('TASK_STATE_CONFLICT', 'Its prediction has ended without an answer.')
    : new MemoryGuardError('RESOURCE_GONE', 'Its prediction no longer exists.')
