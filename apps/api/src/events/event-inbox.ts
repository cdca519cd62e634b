import type { EventPage } from './event-tail.js'

/** Most events that wait for one client. */
const maxEvents = 10_000

/** Pages that wait for one client. If they are too many, the inbox is closed and the client resumes from its last event. */
export class EventInbox {
  private readonly pages: EventPage[] = []
  private size = 0
  private isClosed = false
  private wake: () => void = () => undefined

  put(page: EventPage): void {
    this.size += page.events.length
    if (this.size > maxEvents) this.close()
    else this.pages.push(page)
    this.wake()
  }

  /** The next page; undefined when it is closed. */
  async take(): Promise<EventPage | undefined> {
    while (!this.isClosed) {
      const page = this.pages.shift()
      if (page) {
        this.size -= page.events.length
        return page
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return undefined
  }

  close(): void {
    this.isClosed = true
    this.pages.length = 0
    this.wake()
  }
}
