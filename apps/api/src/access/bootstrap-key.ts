import { BootstrapKeyRepository, isDatabaseUnavailable } from '#libs/database'
import { CONFIG, LOGGER, PeriodicLoop, reasonOf, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'

/** Keeps the text of a first admin key for its owner; returns where. @throws what keeps it from being kept. */
export type KeepFirstKey = (key: string) => string

/** Pause before a database that could not be written is tried again, in milliseconds. */
const retryMs = 2_000

/** The admin key of the configuration, or the first one of an installation. */
@Injectable()
export class BootstrapKey implements OnApplicationShutdown {
  private retries: PeriodicLoop | undefined

  constructor(
    private readonly keys: BootstrapKeyRepository,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Makes the configured key the one bootstrap key. Without one, a first key is made only where no admin key is valid and
   * `keepFirst` can keep it: processes without a home of their own add none. While the database cannot be written, it
   * tries again in the background, so that what can be read is served meanwhile.
   */
  async install(keepFirst?: KeepFirstKey): Promise<void> {
    try {
      await this.installNow(keepFirst)
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error
      this.log.warn({ reason: reasonOf(error) }, 'admin key not installed yet: the database cannot be written')
      const run = () => this.tryAgain(keepFirst)
      this.retries = new PeriodicLoop({ name: 'admin key', intervalMs: retryMs, run }, this.log)
      this.retries.start()
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.retries?.stop()
  }

  private async tryAgain(keepFirst: KeepFirstKey | undefined): Promise<void> {
    try {
      await this.installNow(keepFirst)
      void this.retries?.stop()
    } catch (error) {
      if (!isDatabaseUnavailable(error)) this.log.error({ err: error }, 'admin key not installed; trying again')
    }
  }

  private async installNow(keepFirst: KeepFirstKey | undefined): Promise<void> {
    const { adminApiKey } = this.config
    if (adminApiKey !== undefined) return this.installConfigured(adminApiKey)
    if (!keepFirst) return
    const place = await this.keys.installFirst(keepFirst)
    if (place !== undefined) this.log.info(`A first admin key was made and is kept in ${place}`)
  }

  private async installConfigured(key: string): Promise<void> {
    const outcome = await this.keys.install(key)
    if (outcome === 'installed') this.log.info('configured admin key installed; the one before it revoked')
    if (outcome !== 'refused') return
    this.log.warn(
      'The configured admin key is not valid: it was revoked or replaced, or is no admin key without an expiry. Set ' +
        'ADMIN_API_KEY to a new one, or remove the file admin-key in MEMORYGUARD_HOME if it comes from there.',
    )
  }
}
