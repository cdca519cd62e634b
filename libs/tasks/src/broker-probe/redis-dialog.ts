import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { redisTls, type HostAndPort, type RedisAddress } from '#libs/platform'
import { encodeCommand, readReply, RedisReplyError, type RedisReply } from './redis-reply.js'

/** One server of those that an address names. */
export type RedisTarget = RedisAddress & HostAndPort

/** The server ended the connection before it had responded. */
export class ClosedError extends Error {
  constructor() {
    super('the server closed the connection without a response')
  }
}

/**
 * One connection to a Redis that sends one command after the other and throws the first error. A client library would
 * reconnect by itself, and later errors would hide the first one, which names the cause.
 */
export class RedisDialog {
  private received = Buffer.alloc(0)
  private failure: Error | undefined
  private wake: () => void = () => undefined

  private constructor(private readonly socket: Socket) {
    socket.on('data', (data: Buffer) => {
      this.received = Buffer.concat([this.received, data])
      this.wake()
    })
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new ClosedError()))
  }

  /** @throws Error of the socket or of TLS */
  static async open(target: RedisTarget, signal: AbortSignal): Promise<RedisDialog> {
    const { host, port, isSecure, family } = target
    const socket = isSecure
      ? connectSecure({ host, port, ...(isIP(host) === 0 && { servername: host }), ...redisTls(target) })
      : connectPlain({ host, port, family })
    const dialog = new RedisDialog(socket)
    const abort = () => socket.destroy(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', abort))
    let isOpen = false
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      isOpen = true
      dialog.wake()
    })
    await dialog.until(() => isOpen)
    return dialog
  }

  /** @throws RedisReplyError if the reply is an error; ForeignProtocolError; ClosedError; Error of the socket */
  async ask(...words: readonly string[]): Promise<RedisReply> {
    this.socket.write(encodeCommand(words))
    return this.listen()
  }

  /** Many at once; a reply that is an error stands among the others. @throws as `ask` does, but for such replies */
  async askAll(commands: readonly (readonly string[])[]): Promise<readonly RedisReply[]> {
    this.socket.write(commands.map(encodeCommand).join(''))
    const replies: RedisReply[] = []
    for (let index = 0; index < commands.length; index += 1) replies.push(await this.listenForAny())
    return replies
  }

  /** What the server says next, unasked perhaps. @throws as `ask` does */
  async listen(): Promise<RedisReply> {
    const reply = await this.listenForAny()
    if (reply instanceof RedisReplyError) throw reply
    return reply
  }

  private async listenForAny(): Promise<RedisReply> {
    let read: ReturnType<typeof readReply>
    await this.until(() => {
      read = readReply(this.received)
      return read !== undefined
    })
    this.received = this.received.subarray(read?.end ?? 0)
    return read?.reply ?? null
  }

  /** Sends bytes as they are; resolves with the first bytes of the reply. */
  async exchange(bytes: Buffer): Promise<Buffer> {
    this.socket.write(bytes)
    await this.until(() => this.received.length > 0)
    return this.received
  }

  close(): void {
    this.socket.destroy()
  }

  private async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.failure) throw this.failure
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.wake()
  }
}
