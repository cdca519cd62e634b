import { changedConfig, configWarnings, type Config } from '#libs/platform'
import { connect, type ConnectionFlags } from '../client/connect.js'
import type { RestClient } from '../client/rest-client.js'
import { CommandError } from '../command-error.js'
import { configWithDatabase } from '../start/running-database.js'
import { readBroker, readDatabase } from './read-database.js'
import { readApi, readModels, readWorkers } from './read-service.js'
import { readSoftware } from './read-software.js'
import { hasFacts, sectionOf, withoutSecrets, type Section } from './section.js'

/** What an operator pastes into a bug report. No part holds a secret or anything of a person. */
export interface Report {
  readonly software: object
  readonly configuration: Section
  readonly database: Section
  readonly broker: Section
  readonly api: Section
  readonly models: Section
  readonly workers: Section
}

/** Reads all parts at once. A part that cannot be read says why, and the others stand. */
export const makeReport = async (env: NodeJS.ProcessEnv, flags: ConnectionFlags): Promise<Report> => {
  const configuration = await sectionOf('The configuration', async () => readConfiguration(env))
  const config = hasFacts(configuration) ? configWithDatabase(env) : undefined
  const section = (part: string, read: (config: Config, client: RestClient) => Promise<object>) =>
    sectionOf(part, async () => {
      if (!config) throw new CommandError('The configuration is not valid, so this was not read.')
      return read(config, connect(flags))
    })
  const [database, broker, api, models, workers] = await Promise.all([
    section('The database', readDatabase),
    section('The broker', readBroker),
    section('The API', (_, client) => readApi(client)),
    section('The API', readModels),
    section('The API', readWorkers),
  ])
  return { software: readSoftware(), configuration, database, broker, api, models, workers }
}

/** What this command's environment sets; servers may have been started with another. */
const readConfiguration = (env: NodeJS.ProcessEnv) => ({
  differs_from_default: Object.fromEntries(
    Object.entries(changedConfig(env)).map(([name, value]) => [name, withoutSecrets(value)]),
  ),
  warnings: configWarnings(env),
})
