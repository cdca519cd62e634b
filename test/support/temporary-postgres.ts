import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/embedded-postgres'
import { deletePostgres, makePostgresHome } from './stack-postgres.js'

/** A server without fsync on a new folder, which `stop` deletes. */
export const startTemporaryPostgres = async (
  log: (line: string) => void = () => undefined,
): Promise<EmbeddedPostgres> => {
  const home = makePostgresHome()
  const server = await startEmbeddedPostgres({ home, log, durable: false })
  return {
    ...server,
    async stop() {
      await server.stop()
      deletePostgres(home)
    },
  }
}
