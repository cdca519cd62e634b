import type { ValuedTree } from './additive-sum.js'
import { buildPaths, type PathNode, type Reference } from './leaf-paths.js'
import { cutIntoBlocks, entriesOf } from './tree-blocks.js'
import { PathDependentProgram } from './path-dependent-program.js'
import { TableProgram } from './table-program.js'
import type { TreeStructure } from './tree-structure.js'
import type { Univariate } from '../tracing/univariate.js'

/** Most numbers that all tables of a model may hold together: 24 MB. */
const tableBudget = 3_000_000

/** Most numbers of one block's table if it is computed before it is needed: larger ones take longer to make than they save. */
const filledTable = 4096

/** The same for tables that fill themselves, tried in turn until the tables fit the budget; at 0 nothing is kept. */
const growingTables = [8192, 2048, 512, 0]

interface PreparedTree {
  readonly structure: TreeStructure
  readonly kind: Reference['kind']
  readonly root: PathNode
}

const expectedOf = (node: PathNode): number =>
  node.kind === 'leaf' ? node.game.expected : expectedOf(node.yes) + expectedOf(node.no)

const tableEntries = (trees: readonly PreparedTree[], limit: number): number => {
  let sum = 0
  for (const { root } of trees) {
    for (const block of cutIntoBlocks(root, limit)) {
      const entries = entriesOf(block)
      if (entries <= limit) sum += entries
    }
  }
  return sum
}

/** Exact Shapley values of a sum of trees. */
export class TreeShap {
  /** Expected output of the trees over the reference people. */
  readonly expected: number
  private readonly programs: readonly (TableProgram | PathDependentProgram)[]
  private readonly tested: readonly Univariate[]

  /** `referenceOf` gives each tree its reference; `inputs` is the number of the model's inputs. */
  constructor(
    trees: readonly ValuedTree[],
    referenceOf: (tree: TreeStructure) => Reference,
    private readonly inputs: number,
  ) {
    const prepared = trees.map((tree): PreparedTree => {
      const reference = referenceOf(tree.structure)
      return { structure: tree.structure, kind: reference.kind, root: buildPaths(tree, reference, inputs) }
    })
    const withTables = prepared.filter(({ kind }) => kind === 'interventional')
    const limit = growingTables.find((size) => tableEntries(withTables, size) <= tableBudget) ?? 0
    const columns = new Map<Univariate, number>()
    const columnOf = (tested: Univariate): number => {
      const column = columns.get(tested) ?? columns.size
      columns.set(tested, column)
      return column
    }
    let budget = tableBudget
    this.programs = prepared.map(({ structure, kind, root }) => {
      if (kind === 'interventional') return new TableProgram(structure, root, limit, columnOf)
      const blocks = cutIntoBlocks(root, filledTable)
      const entries = blocks.reduce((sum, block) => sum + entriesOf(block), 0)
      if (entries > budget || blocks.some((block) => entriesOf(block) > filledTable)) {
        return new PathDependentProgram(structure, root, columnOf)
      }
      budget -= entries
      const program = new TableProgram(structure, root, filledTable, columnOf)
      program.fill()
      return program
    })
    this.tested = [...columns.keys()]
    this.expected = prepared.reduce((sum, { root }) => sum + expectedOf(root), 0)
  }

  /**
   * Adds the contributions for `count` people (`rows`: row-major, `inputs` numbers each, NaN for missing) to `into`:
   * per person one number per input, then the trees' output (`inputs` + 1 numbers).
   */
  addContributions(rows: Float64Array, count: number, into: Float64Array): void {
    const { inputs, tested } = this
    const width = tested.length
    const values = new Float64Array(count * width)
    const isMissing = new Uint8Array(count * width)
    tested.forEach(({ source, at }, column) => {
      for (let person = 0; person < count; person++) {
        const value = at(rows[person * inputs + source]!)
        values[person * width + column] = value
        isMissing[person * width + column] = Number.isNaN(value) ? 1 : 0
      }
    })
    for (const program of this.programs) program.run({ count, width, values, isMissing }, into, inputs + 1)
  }
}
