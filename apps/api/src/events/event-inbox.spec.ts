import { describe, expect, it } from 'vitest'
import { EventInbox } from './event-inbox.js'
import { startOf } from './event-key.js'
import type { EventPage, KeyedEvent } from './event-tail.js'

const pageOf = (count: number): EventPage => ({
  events: Array.from({ length: count }, () => ({ key: startOf(1), data: {} }) as KeyedEvent),
  until: startOf(2),
})

describe('an inbox', () => {
  it('gives out pages in order, those that came before it was asked and those that come later', async () => {
    const inbox = new EventInbox()
    const [first, second] = [pageOf(1), pageOf(2)]
    inbox.put(first)
    expect(await inbox.take()).toBe(first)
    const waiting = inbox.take()
    inbox.put(second)
    expect(await waiting).toBe(second)
  })

  it('is closed when too many events wait in it, however many have passed through', async () => {
    const inbox = new EventInbox()
    for (let round = 0; round < 3; round += 1) {
      inbox.put(pageOf(6_000))
      expect(await inbox.take()).toBeDefined()
    }
    inbox.put(pageOf(6_000))
    inbox.put(pageOf(6_000))
    expect(await inbox.take()).toBeUndefined()
  })

  it('lets go who waits when it is closed', async () => {
    const inbox = new EventInbox()
    const waiting = inbox.take()
    inbox.close()
    expect(await waiting).toBeUndefined()
  })
})
