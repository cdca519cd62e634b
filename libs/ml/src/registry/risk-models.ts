import type { MemoryGuardError } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { encodeRows } from '../features/encode-rows.js'
import { findOutput } from '../manifest/index.js'
import { COMPUTE_POOL, type ComputePool } from '../runtime/compute-pool.js'
import { ModelRegistry } from './model-registry.js'
import { toRiskExplanation, type RiskExplanation } from './risk-explanation.js'
import { toRisk, type Risk } from './risk-outputs.js'

type People = readonly Readonly<Record<string, number>>[]

/** Predicts and explains risks with the models of the registry. */
@Injectable()
export class RiskModels {
  constructor(
    private readonly registry: ModelRegistry,
    @Inject(COMPUTE_POOL) private readonly pool: ComputePool,
  ) {}

  /**
   * Computes the risk of people with one model, in one run for each `max_batch` of them. Returns for each person, in
   * the order given, a risk or the error that this person alone gets.
   * @throws {MemoryGuardError} MODEL_NOT_READY, or what the pool throws for the whole run.
   */
  async predict(
    reference: string,
    people: People,
    timeoutMs: number,
    { isBulk = false, killSignal }: { readonly isBulk?: boolean; readonly killSignal?: AbortSignal } = {},
  ): Promise<readonly (Risk | MemoryGuardError)[]> {
    const { manifest } = await this.registry.getRiskModel(reference)
    const risks: (Risk | MemoryGuardError)[] = []
    for (let start = 0; start < people.length; start += manifest.graph.max_batch) {
      const part = people.slice(start, start + manifest.graph.max_batch)
      const rows = encodeRows(manifest, part)
      const request = { key: reference, rows, count: part.length, timeoutMs, isBulk, killSignal }
      const tensors = await this.pool.run(request)
      part.forEach((_, row) => risks.push(toRisk(manifest, tensors, row)))
    }
    return risks
  }

  /**
   * Explains one output of a model for some people; without a name, its primary one. Returns them in the order given.
   * @throws {MemoryGuardError} MODEL_NOT_READY, REQUEST_INVALID for an output that the model does not have,
   * MODEL_INVALID if it cannot be explained as its manifest asks, or what the pool throws.
   */
  async explain(
    reference: string,
    outputName: string | undefined,
    people: People,
    timeoutMs: number,
    killSignal?: AbortSignal,
    onProgress?: (done: number, total: number) => void,
  ): Promise<readonly RiskExplanation[]> {
    const { manifest } = await this.registry.getRiskModel(reference)
    const output = findOutput(manifest, outputName)
    const rows = encodeRows(manifest, people)
    const request = {
      key: reference,
      output: output.value,
      rows,
      count: people.length,
      timeoutMs,
      killSignal,
      onProgress,
    }
    const explained = await this.pool.explain(request)
    return people.map((person, row) => toRiskExplanation(manifest, output, person, explained, row))
  }
}
