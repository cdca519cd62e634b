import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Most requests that may wait on a connection for the response to the one before. */
const maxWaiting = 10

/**
 * Handles the requests of a connection one after another: the next one when the response to the one before has left.
 * Node hands over everything that was sent at once, however few responses the sender reads.
 */
export const handleInTurn = (server: Server): void => {
  const listeners = server.listeners('request') as RequestListener[]
  server.removeAllListeners('request')
  const handle: RequestListener = (request, response) => {
    for (const listener of listeners) listener(request, response)
  }
  const turns = new WeakMap<Socket, Turns>()
  server.on('request', (request, response) => {
    let own = turns.get(request.socket)
    if (own === undefined) turns.set(request.socket, (own = new Turns(handle)))
    own.add(request, response)
  })
}

/** The requests of one connection. */
class Turns {
  private readonly waiting: (readonly [IncomingMessage, ServerResponse])[] = []
  private isBusy = false

  constructor(private readonly handle: RequestListener) {}

  add(request: IncomingMessage, response: ServerResponse): void {
    if (request.socket.destroyed) return
    if (!this.isBusy) this.begin(request, response)
    else if (this.waiting.length < maxWaiting) this.waiting.push([request, response])
    else {
      this.waiting.length = 0
      request.socket.destroy()
    }
  }

  private begin(request: IncomingMessage, response: ServerResponse): void {
    this.isBusy = true
    response.once('close', this.goOn)
    this.handle(request, response)
  }

  private readonly goOn = (): void => {
    this.isBusy = false
    const next = this.waiting.shift()
    if (next && !next[0].socket.destroyed) this.begin(...next)
  }
}
