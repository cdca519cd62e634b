import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { isPublicAddress } from '#libs/platform'
import type { HostResolver } from './host-resolver.js'

/** A connection was not made because of its address. */
export class AddressRefusedError extends Error {
  constructor() {
    super('The address is not public.')
    this.name = 'AddressRefusedError'
  }
}

/**
 * A `lookup` for sockets that returns public addresses or, if allowed, private ones; otherwise it fails with
 * AddressRefusedError. The socket connects to what was checked, so that a name which resolves otherwise a moment later
 * gains nothing. A name that also has a private address is rejected as a whole.
 */
export const checkedLookup =
  (resolver: Pick<HostResolver, 'find'>, mayBePrivate: boolean): LookupFunction =>
  (hostname, { all, family }, callback) => {
    callbackify(() => resolver.find(hostname))((error, found) => {
      const addresses = (error ? [] : found).filter(
        (address) => !family || address.family === Number(String(family).replace('IPv', '')),
      )
      const [first] = addresses
      const isAllowed = mayBePrivate || addresses.every(({ address }) => isPublicAddress(address))
      if (error || !first) callback(error ?? new Error('The name has no address.'), '', 0)
      else if (!isAllowed) callback(new AddressRefusedError(), '', 0)
      else if (all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
