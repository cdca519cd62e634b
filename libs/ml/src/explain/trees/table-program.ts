import type { PathNode, TestNode } from './leaf-paths.js'
import { cutIntoBlocks, entriesOf, failedAt, rowsOf, type Block } from './tree-blocks.js'
import type { TreeStructure } from './tree-structure.js'
import { TreeTests, type TestedPeople } from './tree-tests.js'
import type { Univariate } from '../tracing/univariate.js'

/** A test above the blocks: where the pattern of failed inputs at it is kept, and where those of its branches go. */
interface Step {
  readonly slot: number
  readonly bit: number
  readonly yes: number
  readonly no: number
}

/** A block with the places of what belongs to it. */
interface PlacedBlock {
  readonly block: Block
  /** Of the pattern of failed inputs at its root. */
  readonly slot: number
  /** Its tests among all that are decided, and the bit of the first in the number of its row. */
  readonly firstTest: number
  readonly endTest: number
  readonly firstBit: number
  /** Whether its rows are kept, from `firstRow` and `firstEntry` on. */
  readonly hasTable: boolean
  readonly firstRow: number
  readonly firstEntry: number
  /** For each leaf, the positions of its inputs in a row of the table, or in the result if there is no table. */
  readonly leafPlaces: readonly Int32Array[]
  /** Its inputs among those of all blocks. */
  readonly firstSource: number
  readonly width: number
}

/**
 * One tree made ready for many people. A person is taken through the steps (tests above the blocks), which gives the
 * pattern of failed inputs at each block's root, then through the tests of each block, which gives the row of its
 * table.Rows are computed when they are first met.
 */
export class TableProgram {
  private readonly tests: TreeTests
  private readonly steps: readonly Step[]
  private readonly blocks: readonly PlacedBlock[]
  /** Inputs of the blocks, one block after another: one list, because many small ones would not stay in the cache. */
  private readonly sources: Int32Array
  private readonly table: Float64Array
  private readonly isFilled: Uint8Array
  private readonly patterns: Int32Array

  /** `limit`: most entries of one table; `columnOf`: position of a number that the tree tests in the rows of `run`. */
  constructor(structure: TreeStructure, root: PathNode, limit: number, columnOf: (tested: Univariate) => number) {
    const { steps, tests, found, slots } = stepsTo(cutIntoBlocks(root, limit), root)
    const sources: number[] = []
    let firstRow = 0
    let firstEntry = 0
    this.blocks = found.map(({ block, slot }) => {
      const hasTable = entriesOf(block) <= limit
      const leafPlaces = block.leaves.map((leaf) =>
        hasTable ? leaf.sources.map((source) => block.sources.indexOf(source)) : leaf.sources,
      )
      const firstTest = tests.length
      const endTest = tests.push(...block.tests)
      const width = block.sources.length
      const firstSource = sources.push(...block.sources) - width
      const [row, entry] = [firstRow, firstEntry]
      if (hasTable) {
        firstRow += rowsOf(block)
        firstEntry += entriesOf(block)
      }
      return {
        block,
        slot,
        firstTest,
        endTest,
        firstBit: block.widthAbove,
        hasTable,
        firstRow: row,
        firstEntry: entry,
        leafPlaces,
        firstSource,
        width,
      }
    })
    this.steps = steps
    this.sources = Int32Array.from(sources)
    this.tests = new TreeTests(
      structure,
      tests.map(({ node }) => node),
      columnOf,
    )
    this.table = new Float64Array(firstEntry)
    this.isFilled = new Uint8Array(firstRow)
    this.patterns = new Int32Array(slots)
  }

  /** Computes all tables now, so that the first people are not slower than the others. */
  fill(): void {
    for (const placed of this.blocks) {
      const rows = placed.hasTable ? rowsOf(placed.block) : 0
      for (let row = 0; row < rows; row++) this.entryOf(placed, row)
    }
  }

  /**
   * Adds the tree's contributions for `count` people to `into`: per person one number per input, and at the end of
   * each row (of `stride` numbers) the tree's output.
   */
  run(people: TestedPeople, into: Float64Array, stride: number): void {
    const { tests, steps, blocks, sources, table, patterns } = this
    const { passed } = tests
    for (let person = 0; person < people.count; person++) {
      tests.decide(people, person)
      const to = person * stride
      const output = to + stride - 1
      for (let test = 0; test < steps.length; test++) {
        const { slot, bit, yes, no } = steps[test]!
        const passes = passed[test]!
        patterns[yes] = patterns[slot]! | ((passes ^ 1) << bit)
        patterns[no] = patterns[slot]! | (passes << bit)
      }
      for (const placed of blocks) {
        const { firstTest, endTest, firstSource, width } = placed
        let row = patterns[placed.slot]!
        let bit = placed.firstBit
        for (let test = firstTest; test < endTest; test++) row |= passed[test]! << bit++
        if (!placed.hasTable) {
          this.addBlock(placed, row, into, to, output)
          continue
        }
        const entry = this.entryOf(placed, row)
        for (let k = 0; k < width; k++) into[to + sources[firstSource + k]!]! += table[entry + k]!
        into[output]! += table[entry + width]!
      }
    }
  }

  /** Where a row of a block's table begins; computes the row when it is first met. */
  private entryOf(placed: PlacedBlock, row: number): number {
    const { firstRow, firstEntry, width } = placed
    const entry = firstEntry + row * (width + 1)
    if (this.isFilled[firstRow + row] === 0) {
      this.addBlock(placed, row, this.table, entry, entry + width)
      this.isFilled[firstRow + row] = 1
    }
    return entry
  }

  /** Adds what the leaves of a block give for one row of its table. */
  private addBlock(
    { block, leafPlaces }: PlacedBlock,
    row: number,
    into: Float64Array,
    at: number,
    output: number,
  ): void {
    const { leaves } = block
    for (let i = 0; i < leaves.length; i++) {
      const leaf = leaves[i]!
      const failed = failedAt(block, leaf, row)
      leaf.game.addShares(failed, into, at, leafPlaces[i]!)
      if (failed === 0) into[output]! += leaf.game.value
    }
  }
}

/** The tests above some blocks as steps, depth first, and the blocks with the slots of their patterns. */
const stepsTo = (blocks: readonly Block[], root: PathNode) => {
  const blockAt = new Map(blocks.map((block) => [block.root, block]))
  const tests: TestNode[] = []
  const steps: Step[] = []
  const found: { block: Block; slot: number }[] = []
  let slots = 1
  const walk = (node: PathNode, slot: number): void => {
    const block = blockAt.get(node)
    if (block !== undefined) found.push({ block, slot })
    else if (node.kind === 'test') {
      const [yes, no] = [slots++, slots++]
      tests.push(node)
      steps.push({ slot, bit: node.bit, yes, no })
      walk(node.yes, yes)
      walk(node.no, no)
    }
  }
  walk(root, 0)
  return { tests, steps, found, slots }
}
