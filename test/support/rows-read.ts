import type { DataSource } from 'typeorm'
import { vi } from 'vitest'

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

/** What sends statements. */
interface Sender {
  query(sql: string, values?: unknown[]): Promise<unknown>
}

/** What one statement has read. */
export interface StatementCost {
  readonly sql: string
  /** Rows that it met in tables, whether they fitted or not. */
  readonly rows: number
  /** Tables of which it read every row. */
  readonly wholeTables: readonly string[]
  readonly indexes: readonly string[]
}

/** The statements that a call sends, each run again under EXPLAIN ANALYZE and rolled back. */
export const costsOf = async (
  dataSource: DataSource,
  senders: readonly Sender[],
  call: () => Promise<unknown>,
): Promise<readonly StatementCost[]> => {
  const spies = senders.map((sender) => vi.spyOn(sender, 'query'))
  await call()
  const statements = spies.flatMap(({ mock }) => mock.calls.map(([sql, values]) => ({ sql, values })))
  for (const spy of spies) spy.mockRestore()
  const costs: StatementCost[] = []
  for (const { sql, values } of statements) {
    const runner = dataSource.createQueryRunner()
    await runner.startTransaction()
    try {
      const [row]: [{ 'QUERY PLAN': [{ Plan: PlanNode }] }] = await runner.query(
        `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${sql}`,
        values,
      )
      const nodes = flatten(row['QUERY PLAN'][0].Plan)
      costs.push({
        sql,
        rows: nodes.reduce((total, node) => total + rowsOf(node), 0),
        wholeTables: nodes.flatMap((node) =>
          node['Node Type'] === 'Seq Scan' && node['Actual Loops'] > 0 ? (node['Relation Name'] ?? []) : [],
        ),
        indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
      })
    } finally {
      await runner.rollbackTransaction()
      await runner.release()
    }
  }
  return costs
}

const flatten = (node: PlanNode): readonly PlanNode[] => [node, ...(node.Plans ?? []).flatMap(flatten)]

const rowsOf = (node: PlanNode): number =>
  node['Relation Name'] === undefined
    ? 0
    : node['Actual Loops'] *
      (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0))
