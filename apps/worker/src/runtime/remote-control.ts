import { controlChannel, NotificationListener } from '#libs/database'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { LeaseKeeper } from './lease-keeper.js'
import { TaskRunner } from './task-runner.js'

/** What is told on the control channel. It only speeds things up: everything told stands in a row. */
const controlMessage = z.object({ kind: z.literal('revoke'), id: z.uuid(), terminate: z.boolean() })

/** Hears what this worker is told to do. A message that is lost is made good when leases are renewed. */
@Injectable()
export class RemoteControl {
  private readonly listener: NotificationListener

  constructor(
    private readonly runner: TaskRunner,
    leases: LeaseKeeper,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.listener = new NotificationListener(
      config.database.url,
      { [controlChannel]: (payload) => this.hear(payload) },
      log,
    )
    leases.whenRevoked(({ id, terminate }) => this.runner.revoke(id, terminate))
  }

  start(): Promise<void> {
    return this.listener.start()
  }

  stop(): Promise<void> {
    return this.listener.stop()
  }

  private hear(payload: string): void {
    const message = controlMessage.safeParse(parse(payload))
    if (message.success) this.runner.revoke(message.data.id, message.data.terminate)
    else this.log.debug({ payload }, 'a control message that this version does not know')
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
