import { once } from 'node:events'
import { connect } from 'node:net'
import { reasonOf, withinTime } from '#libs/platform'
import { CommandError } from '../command-error.js'

const defaultPort = 6379
const patienceMs = 5_000

/** @throws {CommandError} if nothing accepts connections where BROKER_URL leads. */
export async function assertBrokerAnswers(brokerUrl: string): Promise<void> {
  const { hostname, port } = new URL(brokerUrl)
  const host = hostname.replaceAll(/[[\]]/g, '')
  const socket = connect({ host, port: Number(port || defaultPort) })
  try {
    if (!(await withinTime(once(socket, 'connect'), patienceMs, undefined)))
      throw new Error(`no answer within ${patienceMs / 1000} s`)
  } catch (cause) {
    const message = `The broker does not answer (${reasonOf(cause)}). Is it running, is BROKER_URL right?`
    throw new CommandError(message, { cause })
  } finally {
    socket.destroy()
  }
}
