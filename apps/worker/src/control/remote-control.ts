import { controlChannel, NotificationListener, WorkerCommandRepository, type WorkerCommand } from '#libs/database'
import { CONFIG, LOGGER, MemoryGuardError, PeriodicLoop, type Config, type Logger } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { Presence } from './presence.js'
import { TaskRunner } from '../execution/task-runner.js'
import { WorkerCommands } from './worker-commands.js'

/** How often to poll for commands whose notification was lost, in milliseconds. */
const sweepMs = 5_000

/** Messages of the control channel. They only speed things up: everything they announce is stored in a row. */
const controlMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('revoke'), id: z.uuid(), terminate: z.boolean() }),
  z.object({ kind: z.literal('command'), worker: z.uuid() }),
])

/**
 * Receives revokes and commands for this worker. If a message is lost, the worker finds revokes when it renews leases, and
 * commands by polling their rows every few seconds.
 */
@Injectable()
export class RemoteControl {
  private readonly listener: NotificationListener
  private readonly loop: PeriodicLoop

  constructor(
    private readonly runner: TaskRunner,
    private readonly presence: Presence,
    private readonly commands: WorkerCommands,
    private readonly sent: WorkerCommandRepository,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    const handlers = { [controlChannel]: (payload: string) => this.receive(payload) }
    const levelOf = () => 'warn' as const
    const failure = 'commands not read; trying again'
    this.loop = new PeriodicLoop(
      { name: 'commands', intervalMs: sweepMs, run: () => this.work(), failure, levelOf },
      log,
    )
    this.listener = new NotificationListener(config, handlers, log)
  }

  start(): Promise<void> {
    this.loop.start()
    return this.listener.start()
  }

  async stop(): Promise<void> {
    await this.listener.stop()
    await this.loop.stop()
  }

  private receive(payload: string): void {
    const message = controlMessage.safeParse(parse(payload))
    if (!message.success) {
      this.log.debug({ payload }, 'control message unknown to this version')
    } else if (message.data.kind === 'revoke') {
      this.runner.revoke(message.data.id, message.data.terminate)
    } else if (message.data.worker === this.presence.id) {
      this.loop.wake()
    }
  }

  /** Runs the open commands, one after the other. */
  private async work(): Promise<void> {
    for (const command of await this.sent.listOpen(this.presence.id)) await this.execute(command)
  }

  private async execute({ id, command, args }: WorkerCommand): Promise<void> {
    this.log.info({ command }, 'operator command received')
    try {
      await this.sent.acknowledge(id, { answer: await this.commands.run(command, args) })
      // Whoever asks next sees what has changed.
      await this.presence.beat()
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) this.log.error({ err: error, command }, 'command failed')
      await this.sent.acknowledge(id, {
        error: error instanceof MemoryGuardError ? error.message : 'It failed; see the worker log.',
      })
    }
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
