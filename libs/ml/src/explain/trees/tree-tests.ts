import { passes, type TreeStructure } from './tree-structure.js'
import type { Univariate } from '../tracing/univariate.js'

/** Numbers that trees test, for several people. */
export interface TestedPeople {
  readonly count: number
  /** Tested numbers per person. */
  readonly width: number
  /** Row-major; NaN for missing. */
  readonly values: Float64Array
  /** 1 where the value is missing. */
  readonly isMissing: Uint8Array
}

/** Some of a tree's tests, all decided for one person at once, without a branch that a processor could guess wrong. */
export class TreeTests {
  private readonly column: Int32Array
  private readonly threshold: Float64Array
  private readonly missingYes: Uint8Array
  private readonly hasSets: boolean
  /** 1 for each test that the last person passed. */
  readonly passed: Uint8Array

  /** `columnOf`: position of a tested number in `TestedPeople.values`. */
  constructor(
    private readonly structure: TreeStructure,
    private readonly nodes: readonly number[],
    columnOf: (tested: Univariate) => number,
  ) {
    this.column = Int32Array.from(nodes, (node) => {
      const tested = structure.columns[structure.column[node]!]
      return tested === undefined ? -1 : columnOf(tested)
    })
    this.threshold = Float64Array.from(nodes, (node) => structure.threshold[node]!)
    this.missingYes = Uint8Array.from(nodes, (node) => structure.missingYes[node]!)
    this.hasSets = nodes.some((node) => structure.sets[node] !== undefined)
    this.passed = new Uint8Array(nodes.length)
  }

  /** Leaves in `passed` what `person` passes. */
  decide({ values, isMissing, width }: TestedPeople, person: number): void {
    const { column, threshold, missingYes, passed } = this
    const from = person * width
    for (let test = 0; test < passed.length; test++) {
      const at = from + column[test]!
      passed[test] = Number(values[at]! <= threshold[test]!) | (isMissing[at]! & missingYes[test]!)
    }
    if (this.hasSets) this.decideSets(values, from)
  }

  private decideSets(values: Float64Array, from: number): void {
    const { structure, nodes, column, passed } = this
    nodes.forEach((node, test) => {
      if (structure.sets[node] === undefined) return
      passed[test] = passes(structure, node, values[from + column[test]!]!) ? 1 : 0
    })
  }
}
