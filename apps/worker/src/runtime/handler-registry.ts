import type { QueueName } from '#libs/platform'
import { catalogue } from '#libs/tasks/contracts'
import type { TaskHandler } from './task-handler.js'

/** The handlers of this worker by task name. */
export class HandlerRegistry {
  private readonly handlers = new Map<string, TaskHandler>()

  /** @throws Error if a task of the enabled queues has no handler or two: such a worker must not start. */
  constructor(handlers: readonly TaskHandler[], queues: readonly QueueName[]) {
    for (const handler of handlers) {
      const { name } = handler.contract
      if (this.handlers.has(name)) throw new Error(`The task ${name} has two handlers`)
      this.handlers.set(name, handler)
    }
    for (const { name, queue } of Object.values(catalogue)) {
      const isConsumed = queue === 'every' || queues.includes(queue)
      if (isConsumed && !this.handlers.has(name)) throw new Error(`The task ${name} has no handler`)
    }
  }

  find(name: string): TaskHandler | undefined {
    return this.handlers.get(name)
  }

  get names(): readonly string[] {
    return [...this.handlers.keys()]
  }
}
