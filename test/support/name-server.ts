import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A name server on this machine. */
export interface NameServer {
  /** As `dns.setServers` takes it. */
  readonly address: string
  /** The names that were asked for, in order. */
  readonly asked: readonly string[]
  close(): void
}

/** The name in a question of DNS, and where the question ends. */
const readQuestion = (message: Buffer) => {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 }
}

/** Starts a server that knows `fast...` (one address, no IPv6), never responds for `slow...`, and knows nothing else. */
export const startNameServer = async (fastAddress = '192.0.2.7'): Promise<NameServer> => {
  const asked: string[] = []
  const server = createSocket('udp4')
  server.on('message', (message, from) => {
    const { name, type, end } = readQuestion(message)
    asked.push(name)
    if (name.startsWith('slow')) return
    const isKnown = name.startsWith('fast')
    const records = isKnown && type === 1 ? 1 : 0
    const header = Buffer.from(message.subarray(0, 12))
    header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2)
    header.writeUInt16BE(records, 6)
    header.writeUInt32BE(0, 8)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...fastAddress.split('.').map(Number)])
    server.send(
      Buffer.concat([header, message.subarray(12, end), ...(records ? [record] : [])]),
      from.port,
      from.address,
    )
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return { address: `127.0.0.1:${server.address().port}`, asked, close: () => void server.close() }
}
