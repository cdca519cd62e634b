import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Maximum number of requests of a connection that wait for the response to the one before. */
const maxWaiting = 10

/**
 * The connections of an HTTP server.
 *
 * Their number is bounded. When all are taken, a new one gets the place of the one that has waited longest at the address
 * with the most, so that no address keeps others out. A connection whose request has a valid key keeps its place until
 * the response has left.
 *
 * The requests of a connection are handled in turn: the next one when the response to the one before has left. Node
 * hands over everything that was sent at once, however few responses the sender reads.
 */
export class Connections {
  private readonly connections = new WeakMap<Socket, Connection>()
  /** Connections without a request of a valid key by address, the longest waiting first. */
  private readonly waiting = new Map<string, Set<Socket>>()
  private count = 0

  /**
   * @param max Maximum number of connections.
   * @param networkOf Returns what an address is counted as: one caller may have many addresses.
   */
  constructor(
    server: Server,
    private readonly max: number,
    private readonly networkOf = (address: string | undefined): string => address ?? '',
  ) {
    const listeners = server.listeners('request') as RequestListener[]
    const handle: RequestListener = (request, response) => {
      for (const listener of listeners) listener(request, response)
    }
    server.removeAllListeners('request')
    server.on('connection', (socket: Socket) => this.add(socket, handle))
    server.on('request', (request, response) => this.connections.get(request.socket)?.add(request, response))
  }

  /** Keeps the place of a request's connection until its response has left. */
  keep({ socket }: IncomingMessage): void {
    const connection = this.connections.get(socket)
    if (!connection || socket.destroyed || connection.isKept) return
    connection.isKept = true
    this.remove(connection)
  }

  private add(socket: Socket, handle: RequestListener): void {
    if (this.count >= this.max && !this.makeRoom()) return void socket.destroy()
    this.count += 1
    const connection = new Connection(socket, this.networkOf(socket.remoteAddress), handle, () =>
      this.offer(connection),
    )
    this.connections.set(socket, connection)
    socket.once('close', () => {
      this.count -= 1
      this.remove(connection)
    })
    this.offer(connection)
  }

  /** Ends one connection; false if all of them are in use. */
  private makeRoom(): boolean {
    let most: Set<Socket> | undefined
    for (const sockets of this.waiting.values()) if (sockets.size > (most?.size ?? 0)) most = sockets
    const [longest] = most ?? []
    const connection = longest && this.connections.get(longest)
    if (!connection) return false
    this.remove(connection)
    longest.destroy()
    return true
  }

  private offer({ socket, address }: Connection): void {
    if (socket.destroyed) return
    const sockets = this.waiting.get(address) ?? new Set()
    sockets.add(socket)
    this.waiting.set(address, sockets)
  }

  private remove({ socket, address }: Connection): void {
    const sockets = this.waiting.get(address)
    if (sockets?.delete(socket) && sockets.size === 0) this.waiting.delete(address)
  }
}

/** One connection, with the requests that wait for their turn. */
class Connection {
  /** Whether it keeps its place. */
  isKept = false
  private isBusy = false
  private readonly waiting: (readonly [IncomingMessage, ServerResponse])[] = []

  constructor(
    readonly socket: Socket,
    /** A closed socket has no address any more. */
    readonly address: string,
    private readonly handle: RequestListener,
    private readonly offer: () => void,
  ) {}

  add(request: IncomingMessage, response: ServerResponse): void {
    if (this.socket.destroyed) return
    if (!this.isBusy) this.begin(request, response)
    else if (this.waiting.length < maxWaiting) this.waiting.push([request, response])
    else {
      this.waiting.length = 0
      this.socket.destroy()
    }
  }

  private begin(request: IncomingMessage, response: ServerResponse): void {
    this.isBusy = true
    response.once('close', this.end)
    this.handle(request, response)
  }

  private readonly end = (): void => {
    this.isBusy = false
    if (this.isKept) {
      this.isKept = false
      this.offer()
    }
    const next = this.waiting.shift()
    if (next && !this.socket.destroyed) this.begin(...next)
  }
}
