import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Stands between a process and a server of 127.0.0.1. */
export interface TcpProxy {
  readonly port: number
  /** From now on nothing passes on the connections there are, and neither side is notified; new ones work. */
  silence(): void
  /** From now on nothing passes on any connection, old or new, and neither side is notified. */
  silenceAll(): void
  /** Ends that: what was sent meanwhile arrives, as when a network comes back. */
  passAgain(): void
  /** New connections work again. Those that were silenced stay dead, as behind a firewall that has forgotten them. */
  heal(): void
  /** From now on new connections lead to another port; those there are stay as they are. */
  redirect(port: number): void
  close(): Promise<void>
}

/** Opens a way to a port on a free port. */
export const startTcpProxy = async (target: number): Promise<TcpProxy> => {
  const sockets = new Set<Socket>()
  const peers = new WeakMap<Socket, Socket>()
  let isDead = false
  let port = target
  const mute = (socket: Socket) => {
    socket.unpipe()
    socket.pause()
  }
  const pass = (socket: Socket) => {
    const peer = peers.get(socket)
    if (peer) socket.pipe(peer)
  }
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    const pair = [near, far]
    peers.set(near, far).set(far, near)
    for (const socket of pair) {
      sockets.add(socket)
      socket.setNoDelay(true)
      // One side that is gone takes the other with it; how it went is of no interest here.
      socket.on('error', () => undefined)
      socket.once('close', () => pair.forEach((side) => side.destroy()))
      socket.once('close', () => sockets.delete(socket))
    }
    if (isDead) return pair.forEach(mute)
    pair.forEach(pass)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => sockets.forEach(mute),
    silenceAll: () => {
      isDead = true
      sockets.forEach(mute)
    },
    passAgain: () => {
      isDead = false
      sockets.forEach(pass)
    },
    heal: () => {
      isDead = false
    },
    redirect: (next) => {
      port = next
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
