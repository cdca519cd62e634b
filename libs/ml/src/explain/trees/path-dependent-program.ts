import type { PathNode } from './leaf-paths.js'
import { quadratureFor } from './quadrature.js'
import type { TreeStructure } from './tree-structure.js'
import { TreeTests, type TestedPeople } from './tree-tests.js'
import type { Univariate } from '../tracing/univariate.js'

/** The last test of an input on a path: its edge, and the share of people whom all its tests let through. */
interface LastTest {
  readonly edge: number
  readonly share: number
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
  // What a person's run leaves behind.
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
    const edgeTest = [-1]
    const edgeValue = [root.kind === 'leaf' ? root.game.value : 0]
    const edgeAbove = [-1]
    const edgeSource = [-1]
    const factors: number[] = Array.from({ length: 3 * size }, () => 1)
    const payments: number[] = Array.from({ length: 3 * size }, () => 0)
    const enter = (node: PathNode, from: number, tested: ReadonlyMap<number, LastTest>): void => {
      if (node.kind === 'leaf') return
      const test = nodes.push(node.node) - 1
      testFrom[test] = from
      edgeTest[from] = test
      const above = tested.get(node.source)
      const sides = [
        { child: node.yes, share: node.shareYes, edge: 2 * test + 1 },
        { child: node.no, share: node.shareNo, edge: 2 * test + 2 },
      ]
      for (const { child, share, edge } of sides) {
        edgeTest[edge] = -1
        edgeValue[edge] = child.kind === 'leaf' ? child.game.value : 0
        edgeAbove[edge] = above?.edge ?? -1
        edgeSource[edge] = node.source
        pushRows(factors, payments, points, share, above?.share, child.kind === 'leaf' ? child.game.value : 1)
      }
      for (const { child, share, edge } of sides)
        enter(child, edge, new Map([...tested, [node.source, { edge, share }]]))
      testEnd[test] = nodes.length
    }
    enter(root, 0, new Map())
    this.tests = new TreeTests(structure, nodes, columnOf)
    this.testFrom = Int32Array.from(testFrom)
    this.testEnd = Int32Array.from(testEnd)
    this.edgeAbove = Int32Array.from(edgeAbove)
    this.edgeSource = Int32Array.from(edgeSource)
    this.edgeTest = Int32Array.from(edgeTest)
    this.edgeValue = Float64Array.from(edgeValue)
    this.factors = Float64Array.from(factors)
    this.payments = Float64Array.from(payments)
    this.hasFailed = new Uint8Array(edgeTest.length)
    this.edgeRow = new Int32Array(edgeTest.length)
    this.visited = new Int32Array(nodes.length)
    this.products = new Float64Array(edgeTest.length * size)
  }

  /** As `TableProgram.run`. */
  run(people: TestedPeople, into: Float64Array, stride: number): void {
    for (let person = 0; person < people.count; person++) {
      this.tests.decide(people, person)
      this.goUp(this.goDown(), into, person * stride)
      const output = person * stride + stride - 1
      into[output] = (into[output] ?? 0) + this.valueReached()
    }
  }

  /** Returns the number of tests visited. */
  private goDown(): number {
    const { weights, testFrom, testEnd, factors, products, visited } = this
    const { passed } = this.tests
    const { edgeAbove, hasFailed, edgeRow } = this
    const size = weights.length
    for (let q = 0; q < size; q++) products[q] = weights[q] ?? 0
    let visits = 0
    for (let test = 0; test < testFrom.length; test++) {
      const above = (testFrom[test] ?? 0) * size
      // Where nobody comes and the person fails, nothing below counts.
      if (products[above] === 0) {
        test = (testEnd[test] ?? 0) - 1
        continue
      }
      visited[visits++] = test
      const passes = passed[test] ?? 0
      const yes = 2 * test + 1
      // Both ways have the same edge above them.
      const last = edgeAbove[yes] ?? -1
      const failedAbove = last < 0 ? 0 : (hasFailed[last] ?? 0)
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
        const p0 = products[a] ?? 0
        const p1 = products[a + 1] ?? 0
        const p2 = products[a + 2] ?? 0
        const p3 = products[a + 3] ?? 0
        products[b] = p0 * (factors[y] ?? 0)
        products[b + 1] = p1 * (factors[y + 1] ?? 0)
        products[b + 2] = p2 * (factors[y + 2] ?? 0)
        products[b + 3] = p3 * (factors[y + 3] ?? 0)
        products[b + size] = p0 * (factors[n] ?? 0)
        products[b + size + 1] = p1 * (factors[n + 1] ?? 0)
        products[b + size + 2] = p2 * (factors[n + 2] ?? 0)
        products[b + size + 3] = p3 * (factors[n + 3] ?? 0)
      }
    }
    return visits
  }

  private goUp(visits: number, into: Float64Array, to: number): void {
    const { testFrom, edgeRow, edgeSource, payments, products, visited } = this
    const size = this.weights.length
    for (let visit = visits - 1; visit >= 0; visit--) {
      const test = visited[visit] ?? 0
      const yes = 2 * test + 1
      const above = (testFrom[test] ?? 0) * size
      const yesRow = edgeRow[yes] ?? 0
      const noRow = edgeRow[yes + 1] ?? 0
      const below = yes * size
      let paid = 0
      for (let q = 0; q < size; q += lane) {
        const a = above + q
        const y = yesRow + q
        const n = noRow + q
        const b = below + q
        const y0 = products[b] ?? 0
        const y1 = products[b + 1] ?? 0
        const y2 = products[b + 2] ?? 0
        const y3 = products[b + 3] ?? 0
        const n0 = products[b + size] ?? 0
        const n1 = products[b + size + 1] ?? 0
        const n2 = products[b + size + 2] ?? 0
        const n3 = products[b + size + 3] ?? 0
        products[a] = y0 + n0
        products[a + 1] = y1 + n1
        products[a + 2] = y2 + n2
        products[a + 3] = y3 + n3
        paid +=
          y0 * (payments[y] ?? 0) +
          y1 * (payments[y + 1] ?? 0) +
          (y2 * (payments[y + 2] ?? 0) + y3 * (payments[y + 3] ?? 0)) +
          (n0 * (payments[n] ?? 0) + n1 * (payments[n + 1] ?? 0)) +
          (n2 * (payments[n + 2] ?? 0) + n3 * (payments[n + 3] ?? 0))
      }
      const place = to + (edgeSource[yes] ?? 0)
      into[place] = (into[place] ?? 0) + paid
    }
  }

  private valueReached(): number {
    let edge = 0
    for (let test = this.edgeTest[0] ?? -1; test >= 0; test = this.edgeTest[edge] ?? -1) {
      edge = 2 * test + 2 - (this.tests.passed[test] ?? 0)
    }
    return this.edgeValue[edge] ?? 0
  }
}

/**
 * Appends an edge's three rows: what it multiplies to the product (a leaf's value included), and what its input gets of
 * the products below, less what was paid above.
 */
const pushRows = (
  factors: number[],
  payments: number[],
  points: Float64Array,
  share: number,
  shareAbove: number | undefined,
  value: number,
): void => {
  const passing = (t: number, of: number): number => t + (1 - t) * of
  const before = (t: number): number => (shareAbove === undefined ? 1 : passing(t, shareAbove))
  const paidBefore = (t: number): number => (shareAbove === undefined ? 0 : (1 - shareAbove) / passing(t, shareAbove))
  const ofFailed = shareAbove === undefined || shareAbove === 0 ? 0 : share / shareAbove
  for (const t of points) factors.push((value * passing(t, share)) / before(t))
  for (const t of points) factors.push((value * (1 - t) * share) / before(t))
  for (let q = 0; q < points.length; q++) factors.push(value * ofFailed)
  for (const t of points) payments.push((1 - share) / passing(t, share) - paidBefore(t))
  for (const t of points) payments.push(-1 / (1 - t) - paidBefore(t))
  for (let q = 0; q < points.length; q++) payments.push(0)
}
