import { MemoryGuardError } from '#libs/platform'
import type { OnProgress } from '../on-progress.js'
import { countBits } from '../trees/leaf-game.js'
import { seededRandom } from './seeded-random.js'
import type { BackgroundRows } from '../trees/tree-reference.js'

/** Answers for `count` rows of inputs (row-major, NaN for missing). */
export type Predict = (rows: Float64Array, count: number) => Float64Array | Promise<Float64Array>

/** How a function is explained of which nothing is known. */
export interface FunctionShapOptions {
  readonly inputs: number
  readonly background: BackgroundRows
  readonly predict: Predict
  /** Most answers that may be computed for one explanation. */
  readonly evaluations: number
  /** Most rows of one call of `predict`. */
  readonly maxBatch: number
  readonly seed: number
}

/** Shapley values of one person. */
export interface FunctionContributions {
  readonly contributions: Float64Array
  readonly output: number
  /** One per input; absent if the values are exact. */
  readonly standardError?: Float64Array
}

/**
 * Interventional Shapley values of any function: an input outside a coalition takes the value of a background person,
 * and answers are averaged over the background. All coalitions are computed where the budget allows it, which is
 * exact; else permutations are sampled, each with its reverse, the same number for each background person, so that
 * contributions still add up exactly (Mitchell et al. 2022, "Sampling permutations for Shapley value estimation").
 */
export class FunctionShap {
  /** Whether all coalitions are computed, so that no sampling error is left. */
  readonly isExact: boolean
  private readonly rounds: number
  private readonly references: Float64Array
  readonly expected: number

  private constructor(
    private readonly options: FunctionShapOptions,
    references: Float64Array,
  ) {
    const { inputs, background, evaluations } = options
    this.references = references
    this.expected = references.reduce((sum, value) => sum + value, 0) / background.count
    this.isExact = inputs <= 20 && 2 ** inputs * background.count <= evaluations
    this.rounds = Math.max(2, Math.floor(evaluations / (2 * background.count * Math.max(1, inputs - 1))))
  }

  /** Computes the answers of the background first. Throws `MODEL_INVALID` if there is no background. */
  static async create(options: FunctionShapOptions): Promise<FunctionShap> {
    if (options.background.count === 0) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        'This model can be explained only against reference people: name a background file in its manifest.',
      )
    }
    const references = await answers(options, options.background.rows, options.background.count)
    return new FunctionShap(options, references)
  }

  /** Explains the person at `offset` of `rows`. The same person and seed give the same numbers in any batch. */
  async explain(rows: Float64Array, offset: number, onProgress?: OnProgress): Promise<FunctionContributions> {
    const person = rows.slice(offset, offset + this.options.inputs)
    const [output = NaN] = await answers(this.options, person, 1)
    if (this.isExact) return { contributions: await this.enumerate(person, output, onProgress), output }
    return { ...(await this.sample(person, output, onProgress)), output }
  }

  private async enumerate(person: Float64Array, output: number, onProgress?: OnProgress): Promise<Float64Array> {
    const { inputs, background } = this.options
    const coalitions = 2 ** inputs
    const worth = new Float64Array(coalitions)
    worth[0] = this.expected
    worth[coalitions - 1] = output
    const perCall = Math.max(1, Math.floor(this.options.maxBatch / background.count))
    for (let first = 1; first < coalitions - 1; first += perCall) {
      const many = Math.min(perCall, coalitions - 1 - first)
      const mixed = new Float64Array(many * background.count * inputs)
      for (let c = 0; c < many; c++) {
        for (let at = 0; at < background.count * inputs; at++) {
          const input = at % inputs
          const isOwn = ((first + c) >>> input) & 1
          mixed[c * background.count * inputs + at] = (isOwn ? person[input] : background.rows[at]) ?? NaN
        }
      }
      const values = await answers(this.options, mixed, many * background.count)
      for (let c = 0; c < many; c++) {
        let sum = 0
        for (let b = 0; b < background.count; b++) sum += values[c * background.count + b] ?? NaN
        worth[first + c] = sum / background.count
      }
      onProgress?.(first + many, coalitions)
    }
    const weightOfSize = Float64Array.from({ length: inputs }, (_, size) => {
      let weight = 1 / inputs
      for (let i = 1; i <= size; i++) weight *= i / (inputs - i)
      return weight
    })
    return Float64Array.from({ length: inputs }, (_, input) => {
      let share = 0
      for (let coalition = 0; coalition < coalitions; coalition++) {
        if ((coalition >>> input) & 1) continue
        const gain = (worth[coalition | (1 << input)] ?? NaN) - (worth[coalition] ?? NaN)
        share += (weightOfSize[countBits(coalition)] ?? NaN) * gain
      }
      return share
    })
  }

  private async sample(
    person: Float64Array,
    output: number,
    onProgress?: OnProgress,
  ): Promise<{ contributions: Float64Array; standardError: Float64Array }> {
    const { inputs, background, seed } = this.options
    const { rounds } = this
    const random = seededRandom(seed)
    const order = Int32Array.from({ length: inputs }, (_, i) => i)
    const contributions = new Float64Array(inputs)
    const variance = new Float64Array(inputs)
    const steps = inputs - 1
    const mixed = new Float64Array(2 * rounds * steps * inputs)
    const orders = new Int32Array(rounds * inputs)
    for (let b = 0; b < background.count; b++) {
      const reference = background.rows.subarray(b * inputs, (b + 1) * inputs)
      for (let round = 0; round < rounds; round++) {
        shuffle(order, random)
        orders.set(order, round * inputs)
        for (let step = 0; step < steps; step++) {
          const forward = (2 * round * steps + step) * inputs
          const backward = ((2 * round + 1) * steps + step) * inputs
          for (let place = 0; place < inputs; place++) {
            const input = order[place] ?? 0
            mixed[forward + input] = (place <= step ? person : reference)[input] ?? NaN
            mixed[backward + input] = (inputs - 1 - place <= step ? person : reference)[input] ?? NaN
          }
        }
      }
      const values = await answers(this.options, mixed, 2 * rounds * steps)
      const sums = new Float64Array(inputs)
      const squares = new Float64Array(inputs)
      const start = this.references[b] ?? NaN
      for (let round = 0; round < rounds; round++) {
        for (let place = 0; place < inputs; place++) {
          const valueAt = (direction: number, taken: number): number => {
            if (taken === 0) return start
            if (taken === inputs) return output
            return values[(2 * round + direction) * steps + taken - 1] ?? NaN
          }
          const reverse = inputs - 1 - place
          const gain = valueAt(0, place + 1) - valueAt(0, place) + valueAt(1, reverse + 1) - valueAt(1, reverse)
          const input = orders[round * inputs + place] ?? 0
          sums[input] = (sums[input] ?? 0) + gain / 2
          squares[input] = (squares[input] ?? 0) + (gain / 2) ** 2
        }
      }
      for (let input = 0; input < inputs; input++) {
        const mean = (sums[input] ?? 0) / rounds
        const spread = Math.max(0, (squares[input] ?? 0) / rounds - mean * mean) * (rounds / (rounds - 1))
        contributions[input] = (contributions[input] ?? 0) + mean / background.count
        variance[input] = (variance[input] ?? 0) + spread / rounds / background.count ** 2
      }
      onProgress?.(b + 1, background.count)
    }
    return { contributions, standardError: variance.map(Math.sqrt) }
  }
}

const shuffle = (order: Int32Array, random: () => number): void => {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = order[last] ?? 0
    order[last] = order[other] ?? 0
    order[other] = kept
  }
}

/** Calls `predict` in batches it accepts. Throws `MODEL_OUTPUT_INVALID` for an answer that is not a finite number. */
const answers = async (options: FunctionShapOptions, rows: Float64Array, count: number): Promise<Float64Array> => {
  const { inputs, maxBatch, predict } = options
  const all = new Float64Array(count)
  for (let first = 0; first < count; first += maxBatch) {
    const many = Math.min(maxBatch, count - first)
    all.set(await predict(rows.subarray(first * inputs, (first + many) * inputs), many), first)
  }
  if (!all.every(Number.isFinite)) {
    throw new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model answers a mixed row of inputs with no finite number.')
  }
  return all
}
