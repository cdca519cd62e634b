import { promises as dns, type LookupAddress } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'

/** Longest wait for the first response of a name server, in milliseconds, and how often it is asked. */
const responseMs = 2_000
const tries = 2
/** Look-ups by the operating system at once. Each takes one of the four threads that files and other look-ups need, too. */
const maxSystemLookups = 2

const hostsFile = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts'

/**
 * Resolves names so that a slow one delays no other: the hosts file first, then the name servers over the network, and
 * only a name that they do not know by the operating system, which knows search domains. Those who ask for one name at
 * the same time share the result.
 */
export class HostResolver {
  private readonly resolver: dns.Resolver
  private readonly underWay = new Map<string, Promise<LookupAddress[]>>()
  private systemLookups = 0
  private readonly waiting: (() => void)[] = []

  /** `servers` are name servers to ask in place of the system's, such as `127.0.0.1:5353`. */
  constructor(servers?: readonly string[], timeoutMs = responseMs) {
    this.resolver = new dns.Resolver({ timeout: timeoutMs, tries })
    if (servers) this.resolver.setServers(servers)
  }

  /** Returns every address of a name. @throws the error of the name servers, or of the system for an unknown name. */
  find(name: string): Promise<LookupAddress[]> {
    const hostname = name.toLowerCase()
    const known = this.underWay.get(hostname)
    if (known) return known
    const found = this.resolve(hostname).finally(() => this.underWay.delete(hostname))
    this.underWay.set(hostname, found)
    return found
  }

  private async resolve(hostname: string): Promise<LookupAddress[]> {
    const own = await readHosts(hostname)
    if (own.length > 0) return own
    const results = await Promise.allSettled([this.resolver.resolve4(hostname), this.resolver.resolve6(hostname)])
    const addresses = results.flatMap((result, index) =>
      result.status === 'fulfilled' ? result.value.map((address) => ({ address, family: index === 0 ? 4 : 6 })) : [],
    )
    if (addresses.length > 0) return addresses
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
    const late = failures.find((failure) => !isUnknown(failure))
    if (late) throw late
    return this.askSystem(hostname)
  }

  private async askSystem(hostname: string): Promise<LookupAddress[]> {
    while (this.systemLookups >= maxSystemLookups) await new Promise<void>((resolve) => this.waiting.push(resolve))
    this.systemLookups += 1
    try {
      return await dns.lookup(hostname, { all: true })
    } finally {
      this.systemLookups -= 1
      this.waiting.shift()?.()
    }
  }
}

const isUnknown = (error: Error): boolean => 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA')

const readHosts = async (hostname: string): Promise<LookupAddress[]> => {
  const text = await readFile(hostsFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EACCES') return ''
    throw error
  })
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = isIP(address)
    return family !== 0 && names.some((name) => name.toLowerCase() === hostname) ? [{ address, family }] : []
  })
}
