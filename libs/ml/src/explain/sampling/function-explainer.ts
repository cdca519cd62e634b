import { MemoryGuardError } from '#libs/platform'
import type { BackgroundRows, Explainer, Explanation, OnProgress, Predict, RequestedSpace } from '../explanation.js'
import { countBits } from '../trees/leaf-game.js'
import { seededRandom } from './seeded-random.js'

/** How a function is explained of which nothing is known. */
export interface FunctionExplainerOptions {
  readonly inputs: number
  readonly background: BackgroundRows
  /** Outputs in the space of the explanation. */
  readonly predict: Predict
  /** Most outputs that may be computed for one explanation. */
  readonly evaluations: number
  /** Most rows of one call of `predict`. */
  readonly maxBatch: number
  readonly seed: number
}

/** Log-odds of a float32 probability, kept one rounding step away from 0 and 1 so that it stays finite. */
const logOdds = (p: number): number => {
  const inside = Math.min(Math.max(p, 2 ** -24), 1 - 2 ** -24)
  return Math.log(inside / (1 - inside))
}

/**
 * Interventional Shapley values of any function: an input outside a coalition takes the value of a background person,
 * and outputs are averaged over the background. All coalitions are computed where the budget allows it, which is
 * exact; else permutations are sampled, each with its reverse, the same number for each background person, so that
 * contributions still add up exactly (Mitchell et al. 2022, "Sampling permutations for Shapley value estimation").
 */
export class FunctionExplainer implements Explainer {
  readonly method: 'exact' | 'permutation'
  readonly baseValue: number
  readonly inputs: number
  /** Permutations sampled for each background person. */
  private readonly rounds: number

  private constructor(
    private readonly options: FunctionExplainerOptions,
    readonly space: RequestedSpace,
    /** Outputs of the background people. */
    private readonly references: Float64Array,
  ) {
    const { inputs, background, evaluations } = options
    this.inputs = inputs
    this.baseValue = references.reduce((sum, value) => sum + value, 0) / background.count
    this.method = inputs <= 20 && 2 ** inputs * background.count <= evaluations ? 'exact' : 'permutation'
    this.rounds = Math.max(2, Math.floor(evaluations / (2 * background.count * Math.max(1, inputs - 1))))
  }

  /**
   * Computes the outputs of the background first; `options.predict` gives probabilities.
   * @throws {MemoryGuardError} MODEL_INVALID if there is no background.
   */
  static async create(
    options: Omit<FunctionExplainerOptions, 'background'> & { readonly background: BackgroundRows | undefined },
    space: RequestedSpace,
  ): Promise<FunctionExplainer> {
    const { background, predict } = options
    if (!background) {
      throw new MemoryGuardError(
        'MODEL_INVALID',
        'This model can be explained only against reference people: name a background file in its manifest.',
      )
    }
    const inSpace: Predict =
      space === 'probability' ? predict : async (rows, count) => (await predict(rows, count)).map(logOdds)
    const own = { ...options, background, predict: inSpace }
    return new FunctionExplainer(own, space, await evaluate(own, background.rows, background.count))
  }

  /** The same person and seed give the same numbers in any batch. */
  async explain(rows: Float64Array | Float32Array, count: number, onProgress?: OnProgress): Promise<Explanation> {
    const { inputs, method } = this
    const contributions = new Float64Array(count * inputs)
    const output = new Float64Array(count)
    const standardError = new Float64Array(count * inputs)
    for (let at = 0; at < count; at++) {
      const person = Float64Array.from(rows.subarray(at * inputs, (at + 1) * inputs))
      const ofPerson: OnProgress = (done, total) => onProgress?.(at * total + done, count * total)
      output.set(await evaluate(this.options, person, 1), at)
      if (method === 'exact') contributions.set(await this.enumerate(person, output[at]!, ofPerson), at * inputs)
      else {
        const sampled = await this.sample(person, output[at]!, ofPerson)
        contributions.set(sampled.contributions, at * inputs)
        standardError.set(sampled.variance.map(Math.sqrt), at * inputs)
      }
    }
    return method === 'exact' ? { contributions, output } : { contributions, output, standardError }
  }

  private async enumerate(person: Float64Array, output: number, onProgress: OnProgress): Promise<Float64Array> {
    const { inputs, background, maxBatch } = this.options
    const coalitions = 2 ** inputs
    const worth = new Float64Array(coalitions)
    worth[0] = this.baseValue
    worth[coalitions - 1] = output
    const perCall = Math.max(1, Math.floor(maxBatch / background.count))
    for (let first = 1; first < coalitions - 1; first += perCall) {
      const many = Math.min(perCall, coalitions - 1 - first)
      const mixed = Float64Array.from({ length: many * background.rows.length }, (_, i) => {
        const at = i % background.rows.length
        const coalition = first + Math.floor(i / background.rows.length)
        return (coalition >>> (at % inputs)) & 1 ? person[at % inputs]! : background.rows[at]!
      })
      const values = await evaluate(this.options, mixed, many * background.count)
      for (let c = 0; c < many; c++) {
        const ofCoalition = values.subarray(c * background.count, (c + 1) * background.count)
        worth[first + c] = ofCoalition.reduce((sum, value) => sum + value, 0) / background.count
      }
      onProgress(first + many, coalitions)
    }
    return shapleyValues(worth, inputs)
  }

  private async sample(person: Float64Array, output: number, onProgress: OnProgress) {
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
            const input = order[place]!
            mixed[forward + input] = (place <= step ? person : reference)[input]!
            mixed[backward + input] = (inputs - 1 - place <= step ? person : reference)[input]!
          }
        }
      }
      const values = await evaluate(this.options, mixed, 2 * rounds * steps)
      const gains = gainsOf(orders, values, this.references[b]!, output, inputs)
      for (let input = 0; input < inputs; input++) {
        const mean = gains.sums[input]! / rounds
        const spread = Math.max(0, gains.squares[input]! / rounds - mean * mean) * (rounds / (rounds - 1))
        contributions[input]! += mean / background.count
        variance[input]! += spread / rounds / background.count ** 2
      }
      onProgress(b + 1, background.count)
    }
    return { contributions, variance }
  }
}

/** Shapley values from the worth of every coalition; bit i of a coalition's number says that input i is in it. */
const shapleyValues = (worth: Float64Array, inputs: number): Float64Array => {
  const weightOfSize = Float64Array.from({ length: inputs }, (_, size) => {
    let weight = 1 / inputs
    for (let i = 1; i <= size; i++) weight *= i / (inputs - i)
    return weight
  })
  return Float64Array.from({ length: inputs }, (_, input) => {
    let share = 0
    for (let coalition = 0; coalition < worth.length; coalition++) {
      if ((coalition >>> input) & 1) continue
      share += weightOfSize[countBits(coalition)]! * (worth[coalition | (1 << input)]! - worth[coalition]!)
    }
    return share
  })
}

/**
 * Sums and sums of squares of what each input changes in the sampled orders. `values` holds, for each order and its
 * reverse, the outputs after the first, second and so on but the last input took the person's value.
 */
const gainsOf = (orders: Int32Array, values: Float64Array, start: number, end: number, inputs: number) => {
  const sums = new Float64Array(inputs)
  const squares = new Float64Array(inputs)
  const steps = inputs - 1
  const outputAt = (sequence: number, taken: number): number => {
    if (taken === 0) return start
    return taken === inputs ? end : values[sequence * steps + taken - 1]!
  }
  orders.forEach((input, at) => {
    const [round, place] = [Math.floor(at / inputs), at % inputs]
    const reverse = inputs - 1 - place
    const forwards = outputAt(2 * round, place + 1) - outputAt(2 * round, place)
    const gain = (forwards + outputAt(2 * round + 1, reverse + 1) - outputAt(2 * round + 1, reverse)) / 2
    sums[input]! += gain
    squares[input]! += gain ** 2
  })
  return { sums, squares }
}

const shuffle = (order: Int32Array, random: () => number): void => {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
}

/**
 * Calls `predict` in batches it accepts.
 * @throws {MemoryGuardError} MODEL_OUTPUT_INVALID for an output that is not a finite number.
 */
const evaluate = async (
  options: FunctionExplainerOptions,
  rows: Float64Array,
  count: number,
): Promise<Float64Array> => {
  const { inputs, maxBatch, predict } = options
  const all = new Float64Array(count)
  for (let first = 0; first < count; first += maxBatch) {
    const many = Math.min(maxBatch, count - first)
    all.set(await predict(rows.subarray(first * inputs, (first + many) * inputs), many), first)
  }
  if (!all.every(Number.isFinite)) {
    throw new MemoryGuardError('MODEL_OUTPUT_INVALID', 'The model returns no finite number for a mixed row of inputs.')
  }
  return all
}
