import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** V8 watches as many objects of a constructor, and a few more do no harm. */
const watched = 12

/**
 * Makes a few responses before the server does. V8 decides by the first objects of a constructor how many fields lie
 * within each. If these are responses to probes, one after another, it decides for so few that all later responses become
 * dictionaries, which costs 7 KB of garbage for each and a tenth of the CPU of a prediction.
 */
export const fixResponseShape = (): void => {
  const socket = new Socket()
  for (let made = 0; made < watched; made += 1) void new ServerResponse(new IncomingMessage(socket))
  socket.destroy()
}
