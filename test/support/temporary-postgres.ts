import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/embedded-postgres'

/** A server without fsync on a new folder, which `stop` deletes. */
export const startTemporaryPostgres = async (
  log: (line: string) => void = () => undefined,
): Promise<EmbeddedPostgres> => {
  const home = mkdtempSync(join(tmpdir(), 'memoryguard-'))
  // The account the server runs as must be able to enter.
  chmodSync(home, 0o711)
  const server = await startEmbeddedPostgres({ home, log, durable: false })
  return {
    ...server,
    async stop() {
      await server.stop()
      // The data is elsewhere if the temporary folder of this system is closed to the server's account.
      for (const path of [realpathSync(join(home, 'postgres')), home]) rmSync(path, { recursive: true, force: true })
    },
  }
}
