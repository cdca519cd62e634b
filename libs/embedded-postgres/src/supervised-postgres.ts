import { MemoryGuardError } from '#libs/platform'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js'

/** The embedded PostgreSQL, started again whenever it dies, until it is stopped. */
export class SupervisedPostgres {
  private isStopping = false
  private readonly ended: Promise<void>

  private constructor(
    private server: EmbeddedPostgres,
    private readonly home: string,
    private readonly log: (line: string) => void,
  ) {
    this.ended = this.keepRunning()
  }

  /** Starts it; resolves when it accepts connections. */
  static async start(home: string, log: (line: string) => void): Promise<SupervisedPostgres> {
    return new SupervisedPostgres(await startEmbeddedPostgres({ home, log }), home, log)
  }

  /** Connection URL; the same after each restart. */
  get url(): string {
    return this.server.url
  }

  /** Resolves once it is stopped. @throws {MemoryGuardError} if it cannot be started again. */
  get end(): Promise<void> {
    return this.ended
  }

  async stop(): Promise<void> {
    this.isStopping = true
    await this.server.stop()
  }

  private async keepRunning(): Promise<void> {
    const { url } = this.server
    for (;;) {
      await this.server.exited
      if (this.isStopping) return
      this.log('PostgreSQL ended: starting it again')
      await this.server.stop()
      this.server = await startEmbeddedPostgres({ home: this.home, log: this.log })
      if (this.server.url !== url) {
        throw new MemoryGuardError(
          'DATABASE_UNAVAILABLE',
          'PostgreSQL died and its port was taken meanwhile. Start MemoryGuard again.',
        )
      }
    }
  }
}
