/** The product with the servers that a scenario needs, and what goes wrong. */
export interface Scenario {
  /** The API that the load is sent to. */
  readonly target: { readonly url: string; readonly key: string }
  /** The database that holds the data now: after a promotion, the new one. */
  readonly databaseUrl: string
  /**
   * Has it go wrong, and resolves when nothing more is done to the servers. `mark` is to be called at the moment from
   * which the time to recover counts: that of the fault, or that of the end of an outage.
   */
  fail(mark: () => void): Promise<void>
  stop(): Promise<void>
}

/** Starts what a scenario needs. */
export type StartScenario = () => Promise<Scenario>
