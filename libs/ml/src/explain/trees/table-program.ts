import type { PathNode } from './leaf-paths.js'
import { cutIntoBlocks, entriesOf, failedAt, rowsOf, type Block, type TestNode } from './tree-blocks.js'
import type { TreeStructure } from './tree-structure.js'
import { TreeTests, type TestedPeople } from './tree-tests.js'
import type { Univariate } from '../tracing/univariate.js'

/** Numbers per step: slot of its pattern, bit of its input, slots of the patterns of its branches. */
const stepSize = 4
/** Numbers per block: slot of its pattern, inputs tested above, first test, tests, first place, places, first table row or -1, first table entry. */
const blockSize = 8

/**
 * One tree made ready for many people. A person is taken through the steps (tests above the blocks), which gives the
 * pattern of failed inputs at each block's root, then through the tests of each block, which gives the row of its
 * table. Rows are computed when they are first met. Which method fills them does not change the time of a look-up.
 */
export class TableProgram {
  private readonly tests: TreeTests
  private readonly steps: Int32Array
  private readonly blocks: Int32Array
  private readonly places: Int32Array
  private readonly table: Float64Array
  private readonly isFilled: Uint8Array
  private readonly patterns: Int32Array
  private readonly blockList: readonly Block[]
  /** For each block and leaf: where the leaf's inputs stand in the block's table, or in the answer if it has none. */
  private readonly leafPlaces: readonly (readonly Int32Array[])[]

  /** `limit`: most entries of one table; `columnOf`: position of a number that the tree tests in the rows of `run`. */
  constructor(structure: TreeStructure, root: PathNode, limit: number, columnOf: (tested: Univariate) => number) {
    this.blockList = cutIntoBlocks(root, limit)
    const blockAt = new Map(this.blockList.map((block) => [block.root, block]))
    const tests: TestNode[] = []
    const steps: number[] = []
    const slotOf = new Map<Block, number>()
    let slots = 1
    const walk = (node: PathNode, slot: number): void => {
      const block = blockAt.get(node)
      if (block !== undefined) slotOf.set(block, slot)
      else if (node.kind === 'test') {
        const [yes, no] = [slots++, slots++]
        tests.push(node)
        steps.push(slot, node.bit, yes, no)
        walk(node.yes, yes)
        walk(node.no, no)
      }
    }
    walk(root, 0)

    const blocks: number[] = []
    const places: number[] = []
    let rows = 0
    let entries = 0
    for (const block of this.blockList) {
      const hasTable = entriesOf(block) <= limit
      const { sources, widthAbove } = block
      const firstRow = hasTable ? rows : -1
      blocks.push(slotOf.get(block) ?? 0, widthAbove, tests.length, block.tests.length, places.length, sources.length)
      blocks.push(firstRow, entries)
      tests.push(...block.tests)
      places.push(...sources)
      if (!hasTable) continue
      rows += rowsOf(block)
      entries += entriesOf(block)
    }
    this.leafPlaces = this.blockList.map((block) =>
      block.leaves.map(({ sources }) =>
        entriesOf(block) <= limit ? sources.map((source) => block.sources.indexOf(source)) : sources,
      ),
    )
    this.tests = new TreeTests(
      structure,
      tests.map(({ node }) => node),
      columnOf,
    )
    this.steps = Int32Array.from(steps)
    this.blocks = Int32Array.from(blocks)
    this.places = Int32Array.from(places)
    this.table = new Float64Array(entries)
    this.isFilled = new Uint8Array(rows)
    this.patterns = new Int32Array(slots)
  }

  /** Computes all tables now, so that the first people are not slower than the others. */
  fill(): void {
    for (let block = 0; block < this.blocks.length; block += blockSize) {
      const firstRow = this.blocks[block + 6] ?? -1
      if (firstRow < 0) continue
      const description = this.blockList[block / blockSize]
      const size = this.blocks[block + 5] ?? 0
      const rows = description === undefined ? 0 : rowsOf(description)
      for (let row = 0; row < rows; row++) {
        const entry = (this.blocks[block + 7] ?? 0) + row * (size + 1)
        this.addBlock(block / blockSize, row, this.table, entry, entry + size)
        this.isFilled[firstRow + row] = 1
      }
    }
  }

  /**
   * Adds the tree's contributions for `count` people to `into`: per person one number per input, and at the end of
   * each row (of `stride` numbers) the tree's output.
   */
  run(people: TestedPeople, into: Float64Array, stride: number): void {
    const { tests, steps, blocks, places, table, isFilled, patterns } = this
    const { passed } = tests
    for (let person = 0; person < people.count; person++) {
      tests.decide(people, person)
      const to = person * stride
      const output = to + stride - 1
      for (let step = 0, test = 0; step < steps.length; step += stepSize, test++) {
        const passes = passed[test] ?? 0
        const pattern = patterns[steps[step] ?? 0] ?? 0
        const bit = steps[step + 1] ?? 0
        patterns[steps[step + 2] ?? 0] = pattern | ((passes ^ 1) << bit)
        patterns[steps[step + 3] ?? 0] = pattern | (passes << bit)
      }
      for (let block = 0; block < blocks.length; block += blockSize) {
        let row = patterns[blocks[block] ?? 0] ?? 0
        let bit = blocks[block + 1] ?? 0
        const firstTest = blocks[block + 2] ?? 0
        const endTest = firstTest + (blocks[block + 3] ?? 0)
        for (let test = firstTest; test < endTest; test++, bit++) row |= (passed[test] ?? 0) << bit
        const firstRow = blocks[block + 6] ?? 0
        if (firstRow < 0) {
          this.addBlock(block / blockSize, row, into, to, output)
          continue
        }
        const place = blocks[block + 4] ?? 0
        const size = blocks[block + 5] ?? 0
        const entry = (blocks[block + 7] ?? 0) + row * (size + 1)
        if (isFilled[firstRow + row] === 0) {
          this.addBlock(block / blockSize, row, table, entry, entry + size)
          isFilled[firstRow + row] = 1
        }
        for (let k = 0; k < size; k++) {
          const at = to + (places[place + k] ?? 0)
          into[at] = (into[at] ?? 0) + (table[entry + k] ?? 0)
        }
        into[output] = (into[output] ?? 0) + (table[entry + size] ?? 0)
      }
    }
  }

  /** Adds what the leaves of a block give for one row of its table. */
  private addBlock(index: number, row: number, into: Float64Array, at: number, output: number): void {
    const block = this.blockList[index]
    const places = this.leafPlaces[index]
    if (block === undefined || places === undefined) return
    for (let i = 0; i < block.leaves.length; i++) {
      const leaf = block.leaves[i]
      const leafPlaces = places[i]
      if (leaf === undefined || leafPlaces === undefined) continue
      const failed = failedAt(block, leaf, row)
      leaf.game.addShares(failed, into, at, leafPlaces)
      if (failed === 0) into[output] = (into[output] ?? 0) + leaf.game.value
    }
  }
}
