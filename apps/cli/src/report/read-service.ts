import { reasonOf, type Config } from '#libs/platform'
import type { RestClient } from '../client/rest-client.js'
import { readServiceStatus } from '../client/service-status.js'
import { listLiveWorkers } from '../client/workers.js'
import { withDatabase } from './read-database.js'
import { withoutSecrets } from './section.js'

/** Whether the API is ready, and what it says of the broker. */
export const readApi = async (client: RestClient) => {
  const { api, broker, faults, notes } = await readServiceStatus(client)
  return { url: withoutSecrets(client.url), state: api, broker, faults, notes }
}

/** The workers that have not stopped, from the API, or from the database where none responds. */
export const readWorkers = async (config: Config, client: RestClient) => {
  try {
    const workers = await listLiveWorkers(client)
    return workers.map(({ name, state, versions, queues, pool, concurrency, models, stats, limits, duplicates }) => ({
      name,
      state,
      versions,
      queues,
      pool,
      concurrency,
      models: models.length,
      stats,
      limits,
      duplicates,
    }))
  } catch (error) {
    if (config.database.url === undefined) throw error
    return withDatabase(config, async (dataSource) => {
      const { WorkerRepository } = await import('#libs/database')
      const seen = await new WorkerRepository(dataSource).listLast()
      return seen.map(({ worker, isStale, duplicates }) => ({
        name: worker.name,
        state: isStale ? 'stale' : worker.state,
        versions: worker.versions,
        queues: worker.queues,
        pool: worker.pool,
        concurrency: worker.concurrency,
        models: worker.models.length,
        stats: worker.stats,
        duplicates,
      }))
    })
  }
}

/** What the API says of a model, as far as it is read here. */
interface ModelRow {
  readonly name: string
  readonly version: string
  readonly state: string
  readonly reason: string | null
  readonly is_active: boolean
  readonly is_shadow: boolean
}

/** The models and their active versions: from the API, or where that fails the folders in MODELS_DIR. */
export const readModels = async (config: Config, client: RestClient) => {
  try {
    const { body } = await client.send({ path: '/v1/models' })
    const { items, unreadable } = body as {
      readonly items: readonly ModelRow[]
      readonly unreadable: readonly { readonly model: string; readonly reason: string }[]
    }
    return {
      source: 'API',
      models: items.map(({ name, version, state, reason, is_active: isActive, is_shadow: isShadow }) => ({
        model: `${name}@${version}`,
        state,
        active: isActive,
        ...(isShadow && { shadow: true }),
        ...(reason !== null && { reason }),
      })),
      unusable: unreadable.map(({ model, reason }) => `${model}: ${reason}`),
    }
  } catch (error) {
    return readFolders(config, error)
  }
}

/** The database has the activated versions; of a model without one, the newest version of some worker is active. */
const readFolders = async (config: Config, failure: unknown) => {
  const { FolderScanner, referenceOf } = await import('#libs/ml/manifest')
  const [{ models, broken }, chosen] = await Promise.all([
    new FolderScanner(config.models.folder).scan(),
    readChosen(config).catch(() => 'unknown' as const),
  ])
  return {
    source: `MODELS_DIR. ${withoutSecrets(reasonOf(failure))}`,
    models: models.map(({ manifest }) => ({ model: referenceOf(manifest), state: 'on disk' })),
    chosen,
    unusable: broken.map(({ reference, error }) => `${reference}: ${withoutSecrets(reasonOf(error))}`),
  }
}

const readChosen = (config: Config) =>
  withDatabase(config, async (dataSource) => {
    const { ModelActivationRepository } = await import('#libs/database')
    const activations = await new ModelActivationRepository(dataSource.manager).list()
    return activations.map(({ name, versions }) => `${name}@${versions.at(-1) ?? ''}`)
  })
