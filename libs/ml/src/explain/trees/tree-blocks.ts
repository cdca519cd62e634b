import type { LeafGame } from './leaf-game.js'
import type { LeafNode, PathNode, TestNode } from './leaf-paths.js'

interface BlockLeaf {
  readonly game: LeafGame
  /** Inputs of the leaf's path, in the order of their bits. */
  readonly sources: Int32Array
  /** Tests between the block's root and the leaf: position in the block, bit of the input, and the way to the leaf. */
  readonly tests: readonly { readonly at: number; readonly bit: number; readonly yes: boolean }[]
}

/**
 * A subtree whose contributions depend on a few bits only: those of the person's pattern at its root (low bits) and
 * the outcomes of its own tests (bits above). So they fit a table with one row per combination.
 */
export interface Block {
  readonly root: PathNode
  /** Different inputs tested above the block. */
  readonly widthAbove: number
  readonly tests: readonly TestNode[]
  readonly leaves: readonly BlockLeaf[]
  /** Inputs that any of its leaves depends on. */
  readonly sources: readonly number[]
}

/** Rows of the block's table. */
export const rowsOf = (block: Block): number => 2 ** (block.widthAbove + block.tests.length)

/** Numbers of the block's table: in each row one per input, and one for the output. */
export const entriesOf = (block: Block): number => rowsOf(block) * (block.sources.length + 1)

/** Pattern of failed inputs at a leaf of the block for a row of its table. */
export const failedAt = (block: Block, leaf: BlockLeaf, row: number): number => {
  let failed = row & ((1 << block.widthAbove) - 1)
  for (const { at, bit, yes } of leaf.tests) {
    const passed = ((row >>> (block.widthAbove + at)) & 1) === 1
    if (passed !== yes) failed |= 1 << bit
  }
  return failed
}

const blockOfLeaf = (leaf: LeafNode): Block => ({
  root: leaf,
  widthAbove: leaf.sources.length,
  tests: [],
  leaves: [{ game: leaf.game, sources: leaf.sources, tests: [] }],
  sources: [...leaf.sources],
})

const merge = (node: TestNode, yes: Block, no: Block): Block => {
  const under = (block: Block, isYes: boolean, shift: number): BlockLeaf[] =>
    block.leaves.map(({ game, sources, tests }) => ({
      game,
      sources,
      tests: [{ at: 0, bit: node.bit, yes: isYes }, ...tests.map((test) => ({ ...test, at: test.at + shift }))],
    }))
  return {
    root: node,
    widthAbove: node.widthAbove,
    tests: [node, ...yes.tests, ...no.tests],
    leaves: [...under(yes, true, 1), ...under(no, false, 1 + yes.tests.length)],
    sources: [...new Set([...yes.sources, ...no.sources])],
  }
}

/** Cuts a tree into the largest blocks whose tables have at most `limit` entries, from left to right. */
export const cutIntoBlocks = (node: PathNode, limit: number): readonly Block[] => {
  if (node.kind === 'leaf') return [blockOfLeaf(node)]
  const yes = cutIntoBlocks(node.yes, limit)
  const no = cutIntoBlocks(node.no, limit)
  const [firstYes] = yes
  const [firstNo] = no
  if (yes.length === 1 && no.length === 1 && firstYes !== undefined && firstNo !== undefined) {
    const merged = merge(node, firstYes, firstNo)
    if (entriesOf(merged) <= limit) return [merged]
  }
  return [...yes, ...no]
}
