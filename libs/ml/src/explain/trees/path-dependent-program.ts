import type { PathNode } from './leaf-paths.js'
import { quadratureFor } from './quadrature.js'
import type { TreeStructure } from './tree-structure.js'
import { TreeTests, type TestedPeople } from './tree-tests.js'
import type { Univariate } from '../tracing/univariate.js'

/** The way from a test to what it leads to where it passes, or where it fails. */
interface Edge {
  /** Last edge above that tests the same input; -1 if there is none. */
  readonly above: number
  readonly source: number
  /** People whom all tests of the input so far let through. */
  readonly share: number
  /** Value of the leaf that it leads to. */
  readonly value: number | undefined
  /** The test that it leads to; -1: to a leaf. */
  test: number
}

/** Points that are worked on together, which keeps the loops over them cheap. */
const lane = 4

const widestPath = (node: PathNode): number =>
  node.kind === 'leaf' ? node.sources.length : Math.max(widestPath(node.yes), widestPath(node.no))

/**
 * One tree made ready for path-dependent explanations, each in time linear in the tree's nodes. The sums over
 * coalitions are integrals of products along the paths (see `PathDependentLeaf`), kept at the points of a
 * Gauss-Legendre rule: the way down multiplies one factor per edge and point, the way up adds the leaves below each
 * edge and pays the edge's input. An input that is tested again further down has its factor replaced there and the
 * payment above taken back. The idea is that of Linear TreeSHAP (Yu et al. 2022, doi:10.48550/arXiv.2209.08192).
 */
export class PathDependentProgram {
  private readonly weights: Float64Array
  // Test t is reached by edge testFrom[t]; edges 2t + 1 and 2t + 2 lead on where it passes and where it fails.
  private readonly testFrom: Int32Array
  /** First test behind those below test t, in the order of depth first. */
  private readonly testEnd: Int32Array
  private readonly tests: TreeTests
  /** Last edge above that tests the same input; -1 if there is none. */
  private readonly edgeAbove: Int32Array
  private readonly edgeSource: Int32Array
  /** Test that the edge leads to; -1: to a leaf. */
  private readonly edgeTest: Int32Array
  /** Value of the leaf that the edge leads to. */
  private readonly edgeValue: Float64Array
  /** Per edge three rows of points: the person passes, fails here first, failed the same input above already. */
  private readonly factors: Float64Array
  private readonly payments: Float64Array
  // What the run of a person leaves behind.
  private readonly hasFailed: Uint8Array
  private readonly edgeRow: Int32Array
  /** Tests below which something counts for the person. */
  private readonly visited: Int32Array
  private readonly products: Float64Array

  constructor(structure: TreeStructure, root: PathNode, columnOf: (tested: Univariate) => number) {
    const rule = quadratureFor(widestPath(root) - 1)
    const size = Math.ceil(rule.points.length / lane) * lane
    // Points without weight fill the last lane; any place inside (0, 1) will do for them.
    const points = Float64Array.from({ length: size }, (_, q) => rule.points[q] ?? 0.5)
    this.weights = Float64Array.from({ length: size }, (_, q) => rule.weights[q] ?? 0)
    const nodes: number[] = []
    const testFrom: number[] = []
    const testEnd: number[] = []
    const edges: Edge[] = []
    const addEdge = (to: PathNode, above: number, source: number, share: number): number => {
      const value = to.kind === 'leaf' ? to.game.value : undefined
      return edges.push({ above, source, share, value, test: -1 }) - 1
    }
    const enter = (node: PathNode, from: number, tested: ReadonlyMap<number, number>): void => {
      if (node.kind === 'leaf') return
      const test = nodes.push(node.node) - 1
      testFrom[test] = from
      edges[from]!.test = test
      const { source } = node
      const above = tested.get(source) ?? -1
      const yes = addEdge(node.yes, above, source, node.shareYes)
      const no = addEdge(node.no, above, source, node.shareNo)
      enter(node.yes, yes, new Map([...tested, [source, yes]]))
      enter(node.no, no, new Map([...tested, [source, no]]))
      testEnd[test] = nodes.length
    }
    enter(root, addEdge(root, -1, -1, 1), new Map())
    this.tests = new TreeTests(structure, nodes, columnOf)
    this.testFrom = Int32Array.from(testFrom)
    this.testEnd = Int32Array.from(testEnd)
    this.edgeAbove = Int32Array.from(edges, ({ above }) => above)
    this.edgeSource = Int32Array.from(edges, ({ source }) => source)
    this.edgeTest = Int32Array.from(edges, ({ test }) => test)
    this.edgeValue = Float64Array.from(edges, ({ value = 0 }) => value)
    const factors = new Float64Array(3 * edges.length * size)
    const payments = new Float64Array(3 * edges.length * size)
    edges.forEach((edge, at) => writeRows(edge, edges[edge.above], points, factors, payments, 3 * at * size))
    this.factors = factors
    this.payments = payments
    this.hasFailed = new Uint8Array(edges.length)
    this.edgeRow = new Int32Array(edges.length)
    this.visited = new Int32Array(nodes.length)
    this.products = new Float64Array(edges.length * size)
  }

  /** As `TableProgram.run`. */
  run(people: TestedPeople, into: Float64Array, stride: number): void {
    for (let person = 0; person < people.count; person++) {
      this.tests.decide(people, person)
      this.goUp(this.goDown(), into, person * stride)
      const output = person * stride + stride - 1
      into[output]! += this.valueReached()
    }
  }

  /** Returns the number of tests visited. */
  private goDown(): number {
    const { weights, testFrom, testEnd, factors, products, visited } = this
    const { passed } = this.tests
    const { edgeAbove, hasFailed, edgeRow } = this
    const size = weights.length
    for (let q = 0; q < size; q++) products[q] = weights[q]!
    let visits = 0
    for (let test = 0; test < testFrom.length; test++) {
      const above = testFrom[test]! * size
      // No reference person comes here and this person fails: nothing below counts.
      if (products[above] === 0) {
        test = testEnd[test]! - 1
        continue
      }
      visited[visits++] = test
      const passes = passed[test]!
      const yes = 2 * test + 1
      // Both ways have the same edge above them.
      const last = edgeAbove[yes]!
      const failedAbove = last < 0 ? 0 : hasFailed[last]!
      const yesFails = failedAbove | (1 - passes)
      const noFails = failedAbove | passes
      hasFailed[yes] = yesFails
      hasFailed[yes + 1] = noFails
      const yesRow = (3 * yes + yesFails + failedAbove) * size
      const noRow = (3 * yes + 3 + noFails + failedAbove) * size
      edgeRow[yes] = yesRow
      edgeRow[yes + 1] = noRow
      const below = yes * size
      for (let q = 0; q < size; q += lane) {
        const a = above + q
        const y = yesRow + q
        const n = noRow + q
        const b = below + q
        const p0 = products[a]!
        const p1 = products[a + 1]!
        const p2 = products[a + 2]!
        const p3 = products[a + 3]!
        products[b] = p0 * factors[y]!
        products[b + 1] = p1 * factors[y + 1]!
        products[b + 2] = p2 * factors[y + 2]!
        products[b + 3] = p3 * factors[y + 3]!
        products[b + size] = p0 * factors[n]!
        products[b + size + 1] = p1 * factors[n + 1]!
        products[b + size + 2] = p2 * factors[n + 2]!
        products[b + size + 3] = p3 * factors[n + 3]!
      }
    }
    return visits
  }

  private goUp(visits: number, into: Float64Array, to: number): void {
    const { testFrom, edgeRow, edgeSource, payments, products, visited } = this
    const size = this.weights.length
    for (let visit = visits - 1; visit >= 0; visit--) {
      const test = visited[visit]!
      const yes = 2 * test + 1
      const above = testFrom[test]! * size
      const yesRow = edgeRow[yes]!
      const noRow = edgeRow[yes + 1]!
      const below = yes * size
      let paid = 0
      for (let q = 0; q < size; q += lane) {
        const a = above + q
        const y = yesRow + q
        const n = noRow + q
        const b = below + q
        const y0 = products[b]!
        const y1 = products[b + 1]!
        const y2 = products[b + 2]!
        const y3 = products[b + 3]!
        const n0 = products[b + size]!
        const n1 = products[b + size + 1]!
        const n2 = products[b + size + 2]!
        const n3 = products[b + size + 3]!
        products[a] = y0 + n0
        products[a + 1] = y1 + n1
        products[a + 2] = y2 + n2
        products[a + 3] = y3 + n3
        paid +=
          y0 * payments[y]! +
          y1 * payments[y + 1]! +
          (y2 * payments[y + 2]! + y3 * payments[y + 3]!) +
          (n0 * payments[n]! + n1 * payments[n + 1]!) +
          (n2 * payments[n + 2]! + n3 * payments[n + 3]!)
      }
      const place = to + edgeSource[yes]!
      into[place]! += paid
    }
  }

  private valueReached(): number {
    let edge = 0
    for (let test = this.edgeTest[0]!; test >= 0; test = this.edgeTest[edge]!) {
      edge = 2 * test + 2 - this.tests.passed[test]!
    }
    return this.edgeValue[edge]!
  }
}

/**
 * Writes the three rows of an edge from `at` on: what it multiplies to the product (a leaf's value included), and what
 * its input gets of the products below, less what was paid above.
 */
const writeRows = (
  { share, value = 1 }: Edge,
  above: Edge | undefined,
  points: Float64Array,
  factors: Float64Array,
  payments: Float64Array,
  at: number,
): void => {
  const passing = (t: number, of: number): number => t + (1 - t) * of
  const ofFailed = above && above.share !== 0 ? share / above.share : 0
  const [fails, failedAbove] = [at + points.length, at + 2 * points.length]
  for (let q = 0; q < points.length; q++) {
    const t = points[q]!
    const before = above ? passing(t, above.share) : 1
    const paidBefore = above ? (1 - above.share) / before : 0
    factors[at + q] = (value * passing(t, share)) / before
    factors[fails + q] = (value * (1 - t) * share) / before
    factors[failedAbove + q] = value * ofFailed
    payments[at + q] = (1 - share) / passing(t, share) - paidBefore
    payments[fails + q] = -1 / (1 - t) - paidBefore
  }
}
