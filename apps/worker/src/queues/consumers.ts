import { LOGGER, type Logger, type QueueName } from '#libs/platform'
import type { WorkerHost } from '@nestjs/bullmq'
import { Inject, Injectable } from '@nestjs/common'

/** The consumers of this process, started and stopped together. */
@Injectable()
export class Consumers {
  private readonly hosts = new Map<QueueName, WorkerHost>()

  constructor(@Inject(LOGGER) private readonly log: Logger) {}

  add(queue: QueueName, host: WorkerHost): void {
    this.hosts.set(queue, host)
  }

  /** Begins to take jobs. */
  start(): void {
    for (const [queue, { worker }] of this.hosts) {
      let said = ''
      worker.on('error', (error) => {
        if (error.message !== said) this.log.warn({ err: error, queue }, 'the broker does not answer')
        said = error.message
      })
      worker.on('stalled', (job) => this.log.info({ queue, job }, 'a job was redelivered: its worker fell silent'))
      worker.run().catch((error: unknown) => this.log.error({ err: error, queue }, 'a consumer has ended'))
    }
  }

  /** Takes no further jobs; resolves when those under way are finished. */
  async drain(): Promise<void> {
    await Promise.all([...this.hosts.values()].map(({ worker }) => worker.close()))
  }
}
