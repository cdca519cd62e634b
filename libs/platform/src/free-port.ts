import { once } from 'node:events'
import { createServer } from 'node:net'
import { MemoryGuardError } from './memory-guard-error.js'
import { reasonOf } from './reason-of.js'

/** A TCP port that nothing listens on at this moment, given by the system. */
export const findFreePort = async (host: string): Promise<number> => {
  const port = await tryToListen(0, host)
  if (port === undefined) throw new Error(`the system has no free TCP port on ${host}`)
  return port
}

/** Whether a server could listen on this port now. */
export const isPortFree = async (port: number, host: string): Promise<boolean> =>
  (await tryToListen(port, host)) !== undefined

/** Ports tried after one that is taken. */
const nextPorts = 100

/** The first port from `port` on that is free now; undefined without any among the next hundred. */
export const findPortFrom = async (port: number, host: string): Promise<number | undefined> => {
  for (let next = port; next <= Math.min(port + nextPorts, 65_535); next += 1) {
    if (await isPortFree(next, host)) return next
  }
  return undefined
}

/** Returns an error that names the setting, for a system error about an address; other errors as they are. */
export const explainListen = (cause: unknown, host: string): unknown => {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause
  const why = reasonOf(cause)
  return new MemoryGuardError(
    'CONFIG_INVALID',
    `HOST: nothing can listen on ${host} (${why}). Set HOST to an address of this machine, or choose another port.`,
    { cause },
  )
}

const tryToListen = async (port: number, host: string): Promise<number | undefined> => {
  const server = createServer().listen({ port, host, exclusive: true })
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw explainListen(error, host)
  }
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : undefined
}
