import { catalogue, processPrediction, type TaskContract } from '#libs/tasks/contracts'
import { describe, expect, it } from 'vitest'
import { handlers } from '../handlers/handlers.js'
import { HandlerRegistry } from './handler-registry.js'
import type { TaskHandler } from './task-handler.js'

const handlerOf = (contract: TaskContract): TaskHandler => ({
  contract,
  compute: async () => [],
  store: async () => new Set(),
})

describe('handler registry', () => {
  it('finds the handler of each task, and none for a stranger', () => {
    const registry = new HandlerRegistry(Object.values(catalogue).map(handlerOf))
    expect(registry.find('ml.process_prediction')?.contract).toBe(processPrediction)
    expect(registry.find('ml.unheard_of')).toBeUndefined()
    expect([...registry.names].sort()).toEqual(Object.keys(catalogue).sort())
  })

  it('has a class of its own for each task of the catalogue', () => {
    expect(Object.keys(handlers).sort()).toEqual(Object.keys(catalogue).sort())
    expect(new Set(Object.values(handlers)).size).toBe(Object.keys(catalogue).length)
  })
})
