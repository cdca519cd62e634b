import { BlockList, isIP, type LookupFunction } from 'node:net'
import type { LookupAddress } from 'node:dns'
import type { ResolveHost } from './host-resolver.js'

/** Blocks of IPv4 that are no one's on the public internet (RFC 6890 and the registry it began), multicast included. */
const blockedV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const

/** Inside of 2000::/3, which is all that is routed of IPv6: special purposes, documentation, and tunnels to IPv4. */
const blockedV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

const blocked = new BlockList()
for (const [net, prefix] of blockedV4) blocked.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of blockedV6) blocked.addSubnet(net, prefix, 'ipv6')
const routed = new BlockList()
routed.addSubnet('2000::', 3, 'ipv6')

/**
 * Whether an address belongs to the public internet: not private, loopback, link-local (where clouds keep their
 * metadata), shared, multicast or reserved, and no such IPv4 address in the clothes of IPv6.
 */
export const isPublicAddress = (address: string): boolean => {
  const family = isIP(address)
  if (family === 4) return !blocked.check(address, 'ipv4')
  // What stands for an IPv4 address lies outside of 2000::/3, or among the tunnels.
  return family === 6 && routed.check(address, 'ipv6') && !blocked.check(address, 'ipv6')
}

/** A connection was refused because of where it led. */
export class AddressRefusedError extends Error {
  constructor() {
    super('The address is not public.')
    this.name = 'AddressRefusedError'
  }
}

/**
 * A `lookup` for sockets that answers with public addresses or fails with AddressRefusedError. The socket connects to
 * what was checked, so that a name which resolves otherwise a moment later gains nothing. A name that also has
 * another address is refused as a whole.
 */
export const publicLookup = (resolveHost: ResolveHost): LookupFunction =>
  toLookup(resolveHost, (addresses) => addresses.every(({ address }) => isPublicAddress(address)))

/** A `lookup` for sockets that answers with any address. */
export const anyLookup = (resolveHost: ResolveHost): LookupFunction => toLookup(resolveHost, () => true)

const toLookup =
  (resolveHost: ResolveHost, areAllowed: (addresses: readonly LookupAddress[]) => boolean): LookupFunction =>
  (hostname, { all, family }, callback) => {
    resolveHost(hostname, { all: true }, (error, found) => {
      const addresses = found.filter(
        (address) => !family || address.family === Number(String(family).replace('IPv', '')),
      )
      const [first] = addresses
      if (error || !first) callback(error ?? new Error('The name has no address.'), '', 0)
      else if (!areAllowed(found)) callback(new AddressRefusedError(), '', 0)
      else if (all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
