import { shownName } from '#libs/tasks/contracts'
import type { TaskHandler } from './task-handler.js'

/** The handlers of this worker by the shown name of their task; jobs of earlier versions name chunks by it too. */
export class HandlerRegistry {
  private readonly handlers: ReadonlyMap<string, TaskHandler>

  constructor(handlers: readonly TaskHandler[]) {
    this.handlers = new Map(handlers.map((handler) => [shownName(handler.contract.name), handler]))
  }

  /** Returns the handler of a task; undefined for a task that another version knows. */
  find(name: string): TaskHandler | undefined {
    return this.handlers.get(shownName(name))
  }
}
