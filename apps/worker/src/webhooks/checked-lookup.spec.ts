import { describe, expect, it } from 'vitest'
import { checkedLookup } from './checked-lookup.js'

const lookup = (addresses: readonly string[], all: boolean) =>
  new Promise((resolve) => {
    const find = async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    checkedLookup({ find }, false)('example.org', { all }, (error, address, family) =>
      resolve(error ? error.name : [address, family]),
    )
  })

describe('a look-up of public addresses', () => {
  it('returns what is public, one or all', async () => {
    expect(await lookup(['1.1.1.1', '2606:4700:4700::1111'], false)).toEqual(['1.1.1.1', 4])
    expect(await lookup(['1.1.1.1'], true)).toEqual([[{ address: '1.1.1.1', family: 4 }], undefined])
  })

  it.each([[['127.0.0.1']], [['1.1.1.1', '10.0.0.1']], [['::ffff:127.0.0.1']]])('refuses %j', async (addresses) => {
    expect(await lookup(addresses, true)).toBe('AddressRefusedError')
    expect(await lookup(addresses, false)).toBe('AddressRefusedError')
  })

  it('fails for a name without an address', async () => {
    expect(await lookup([], true)).toBe('Error')
  })
})
