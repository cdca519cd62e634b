import type { TaskHandler } from './task-handler.js'

/** The handlers of this worker by task name. */
export class HandlerRegistry {
  private readonly handlers: ReadonlyMap<string, TaskHandler>

  constructor(handlers: readonly TaskHandler[]) {
    this.handlers = new Map(handlers.map((handler) => [handler.contract.name, handler]))
  }

  /** Returns the handler of a task; undefined for a task that another version knows. */
  find(name: string): TaskHandler | undefined {
    return this.handlers.get(name)
  }

  get names(): readonly string[] {
    return [...this.handlers.keys()]
  }
}
