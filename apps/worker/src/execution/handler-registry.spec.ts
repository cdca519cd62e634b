import {
  catalogue,
  computeBatchChunk,
  processPrediction,
  runnable,
  shownName,
  type TaskContract,
} from '#libs/tasks/contracts'
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
    const registry = new HandlerRegistry(Object.values(runnable).map(handlerOf))
    expect(registry.find('ml.process_prediction')?.contract).toBe(processPrediction)
    expect(registry.find('ml.unheard_of')).toBeUndefined()
    for (const name of Object.keys(catalogue)) expect(shownName(registry.find(name)?.contract.name ?? '')).toBe(name)
  })

  it('finds the handler of chunks also under the name of batches, which jobs of earlier versions have', () => {
    const registry = new HandlerRegistry([handlerOf(computeBatchChunk)])
    expect(registry.find('ml.batch_predictions')).toBe(registry.find('ml.compute_batch_chunk'))
    expect(registry.find('ml.batch_predictions')?.contract).toBe(computeBatchChunk)
  })

  it('has a class of its own for each task that workers run', () => {
    expect(Object.keys(handlers).sort()).toEqual(Object.keys(runnable).sort())
    expect(new Set(Object.values(handlers)).size).toBe(Object.keys(runnable).length)
  })
})
