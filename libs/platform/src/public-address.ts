import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** All that is routed of IPv6. */
const routed = ipaddr.parseCIDR('2000::/3')

/**
 * Whether an address belongs to the public internet: not private, loopback, link-local (where clouds keep their
 * metadata), shared, multicast or reserved, and no such IPv4 address in the form of IPv6.
 */
export const isPublicAddress = (text: string): boolean => {
  if (isIP(text) === 0) return false
  const address = ipaddr.parse(text)
  // What stands for an IPv4 address is outside of 2000::/3, or in a range of its own.
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(routed))
}
