import { CommandError } from '../command-error.js'
import { faultsIn, toReadiness } from './readiness.js'
import type { RestClient } from './rest-client.js'
import { listLiveWorkers, type WorkerRow } from './workers.js'

/** Whether the parts of the service can do their work. */
export interface ServiceStatus {
  readonly api: 'ready' | 'not ready'
  readonly broker: string
  /** The workers that have not stopped. */
  readonly items: readonly WorkerRow[]
  /** One sentence for each thing that is wrong. */
  readonly faults: readonly string[]
  /** One sentence for each thing that works, but should be otherwise. */
  readonly notes: readonly string[]
}

/** Reads the status of api, broker, database and workers. @throws {CommandError} if no API responds. */
export const readServiceStatus = async (client: RestClient): Promise<ServiceStatus> => {
  const { status, body } = await client.probe('/readyz')
  const isReady = status === 200
  const readiness = toReadiness(body)
  const broker = typeof readiness.broker === 'string' ? readiness.broker : 'unknown'
  const faults = faultsIn(readiness).map(([check, fault]) => `The api is not ready: ${check} ${fault}.`)
  if (!isReady && faults.length === 0) faults.push('The api is not ready.')
  if (broker === 'down') faults.push('The broker is down: work is accepted, but none is started.')
  const items = await listWorkers(client, isReady)
  return {
    api: isReady ? 'ready' : 'not ready',
    broker,
    items,
    faults: [...faults, ...faultsOfWorkers(items)],
    notes: Array.isArray(readiness.notes) ? readiness.notes.map(String) : [],
  }
}

/** Without its database the api knows no worker, and its readiness names that fault. */
const listWorkers = async (client: RestClient, isReady: boolean): Promise<readonly WorkerRow[]> => {
  try {
    return await listLiveWorkers(client)
  } catch (error) {
    if (isReady || !(error instanceof CommandError)) throw error
    return []
  }
}

const faultsOfWorkers = (items: readonly WorkerRow[]): readonly string[] => {
  const sick = items.flatMap(({ name, state, duplicates }) => [
    ...(state === 'stale' ? [`${name} has sent no heartbeat for 15 s: it hangs, or it died.`] : []),
    ...(duplicates > 0
      ? [
          `${duplicates + 1} live workers have the name ${name}: commands reach one of them. Give each its own with --hostname.`,
        ]
      : []),
  ])
  const hasReady = items.some(({ state }) => state === 'ready')
  return hasReady ? sick : [...sick, 'No worker is ready: nothing is computed. Start one: memoryguard worker']
}
