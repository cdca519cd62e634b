import type { Config } from '#libs/platform'
import type { DataSource } from 'typeorm'
import { explainFailure, isDatabaseFailure } from './connection-failure.js'
import { assertConnectionsFit } from './connections.js'

/** How long one waits for a database, and what happens meanwhile. */
interface Patience {
  readonly waitMs: number
  /** Called when it begins to wait, and when the reason changes. */
  readonly onWait: (error: unknown) => void
}

const retryMs = 500

/**
 * Connects to a database that may still be starting.
 * @throws what connecting throws: at once if it does not pass by itself, otherwise when the time is over.
 */
export const connectWithin = async (
  dataSource: DataSource,
  config: Config,
  { waitMs, onWait }: Patience,
): Promise<void> => {
  const end = performance.now() + waitMs
  let said = ''
  for (;;) {
    try {
      await assertConnectionsFit(config)
      await dataSource.initialize()
      return
    } catch (error) {
      if (!isDatabaseFailure(error) || performance.now() + retryMs > end) throw error
      const { isLasting, sentence } = explainFailure(error)
      if (isLasting) throw error
      if (sentence !== said) onWait(error)
      said = sentence
      await new Promise((resolve) => setTimeout(resolve, retryMs))
    }
  }
}
