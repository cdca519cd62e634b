import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'

/** Addresses whose form is remembered: to find it of IPv6 takes longer than all else a limit does. */
const maxRemembered = 5_000
const remembered = new Map<string, string>()

/**
 * The network that a request comes from: its IPv4 address, or the /64 of its IPv6 address, of which one subscriber has
 * all. Behind a trusted proxy it is the proxy's caller.
 */
export const clientAddressOf = (request: FastifyRequest): string => networkOf(request.ip)

/** The network of an address. It is not known any more of a caller that has hung up. */
export const networkOf = (ip: string | undefined): string => {
  if (ip === undefined) return 'unknown'
  const known = remembered.get(ip)
  if (known !== undefined) return known
  if (remembered.size >= maxRemembered) remembered.clear()
  const address = normalizeIP(ip)
  remembered.set(ip, address)
  return address
}
