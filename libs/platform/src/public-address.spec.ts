import { describe, expect, it } from 'vitest'
import { isPublicAddress } from './public-address.js'

describe('a public address', () => {
  it.each(['1.1.1.1', '93.184.215.14', '100.63.255.255', '100.128.0.1', '172.15.0.1', '172.32.0.1', '223.255.255.255'])(
    'is %s',
    (address) => expect(isPublicAddress(address)).toBe(true),
  )
  it.each(['2606:4700:4700::1111', '2a00:1450:4001:82a::200e'])('is %s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
  it.each([
    ['0.0.0.0', 'this host'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['100.64.0.1', 'shared by carriers'],
    ['169.254.169.254', 'metadata of clouds'],
    ['198.18.0.1', 'benchmarks'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'no address'],
    ['::1', 'loopback'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local with a zone'],
    ['fd00:ec2::254', 'metadata of clouds'],
    ['fc00::1', 'private'],
    ['ff02::1', 'multicast'],
    ['::ffff:127.0.0.1', 'IPv4 loopback'],
    ['::ffff:a00:1', 'IPv4 private'],
    ['::ffff:1.1.1.1', 'IPv4 in a form of its own'],
    ['64:ff9b::7f00:1', 'IPv4 behind NAT64'],
    ['2002:7f00:1::', 'IPv4 in 6to4'],
    ['2001:0:7f00:1::', 'Teredo'],
    ['2001:db8::1', 'documentation'],
    ['localhost', 'a name'],
    ['0x7f.1', 'a number that only browsers read'],
    ['', 'nothing'],
  ])('is not %s: %s', (address) => expect(isPublicAddress(address)).toBe(false))
})
