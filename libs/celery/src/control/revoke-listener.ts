import type { Logger } from '#libs/platform'
import type { CeleryConnections } from '../connection.js'
import type { Stamps } from './celery-calls.js'
import { textsOf } from './command.js'
import { readStamps } from './control-commands.js'
import { decodeControlRequest, type ControlRequest } from './control-request.js'
import { pidboxChannel } from './pidbox.js'

/** Who carries revokes out. */
export interface Revokes {
  revoke(ids: readonly string[], terminate: boolean): Promise<void>
  revokeStamped(stamps: Stamps, terminate: boolean): Promise<unknown>
}

/**
 * Hears the revokes that callers broadcast, and nothing else, in a process that is no worker: so that none is lost while
 * every worker is down, for what is broadcast is kept nowhere.
 */
export class RevokeListener {
  constructor(
    private readonly connections: CeleryConnections,
    private readonly revokes: Revokes,
    private readonly log: Logger,
  ) {}

  /** Listens from now on, or as soon as Redis can be reached. */
  start(): void {
    const subscriber = this.connections.subscriber()
    subscriber.on('message', (_channel, raw) => void this.receive(raw))
    subscriber.subscribe(pidboxChannel(this.connections)).catch((error: unknown) => {
      this.log.debug({ err: error }, 'not subscribed to Celery commands')
    })
  }

  private async receive(raw: string): Promise<void> {
    try {
      const request = decodeControlRequest(raw)
      if (request) await this.carryOut(request)
    } catch (error) {
      this.log.warn({ err: error }, 'revoke of Celery calls not carried out')
    }
  }

  private async carryOut({ method, arguments: given }: ControlRequest): Promise<void> {
    switch (method) {
      case 'revoke':
        return this.revokes.revoke(textsOf(given['task_id']), Boolean(given['terminate']))
      case 'terminate':
        return this.revokes.revoke(textsOf(given['task_id']), true)
      case 'revoke_by_stamped_headers':
        await this.revokes.revokeStamped(readStamps(given['headers']), Boolean(given['terminate']))
    }
  }
}
