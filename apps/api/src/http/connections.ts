import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { networkOf } from './client-address.js'

/**
 * Bounds the connections of the server. When all are taken, a new one gets the place of the one that has waited longest
 * at the address with the most, so that no address keeps others out. A connection whose request has a valid key keeps
 * its place until the response has left.
 */
export class Connections {
  private count = 0
  /** Connections without a request of a valid key by address, the longest waiting first. */
  private readonly waiting = new Map<string, Set<Socket>>()
  /** A closed socket has forgotten its address. */
  private readonly addresses = new WeakMap<Socket, string>()

  constructor(
    server: Server,
    private readonly max: number,
  ) {
    server.on('connection', (socket: Socket) => this.add(socket))
  }

  /** Keeps the place of a request's connection until its response has left. */
  keep({ raw: { socket } }: FastifyRequest, { raw: response }: FastifyReply): void {
    if (socket.destroyed) return
    this.remove(socket)
    response.once('close', () => this.offer(socket))
  }

  private add(socket: Socket): void {
    if (this.count >= this.max && !this.makeRoom()) return void socket.destroy()
    this.count += 1
    this.addresses.set(socket, networkOf(socket.remoteAddress))
    socket.once('close', () => {
      this.count -= 1
      this.remove(socket)
    })
    this.offer(socket)
  }

  /** Ends one connection; false if all of them are in use. */
  private makeRoom(): boolean {
    let most: Set<Socket> | undefined
    for (const sockets of this.waiting.values()) if (sockets.size > (most?.size ?? 0)) most = sockets
    for (const socket of most ?? []) {
      this.remove(socket)
      socket.destroy()
      return true
    }
    return false
  }

  private offer(socket: Socket): void {
    if (socket.destroyed) return
    const address = this.addresses.get(socket) ?? ''
    const sockets = this.waiting.get(address) ?? new Set()
    sockets.add(socket)
    this.waiting.set(address, sockets)
  }

  private remove(socket: Socket): void {
    const address = this.addresses.get(socket) ?? ''
    const sockets = this.waiting.get(address)
    if (sockets?.delete(socket) && sockets.size === 0) this.waiting.delete(address)
  }
}
