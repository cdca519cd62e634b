import { catalogue, healthCheck, processPrediction, type TaskContract } from '#libs/tasks/contracts'
import { describe, expect, it } from 'vitest'
import { HandlerRegistry } from './handler-registry.js'
import type { TaskHandler } from './task-handler.js'

const handlerOf = (contract: TaskContract): TaskHandler => ({
  contract,
  compute: async () => [],
  store: async () => new Set(),
})
const all = Object.values(catalogue).map(handlerOf)

describe('handler registry', () => {
  it('finds the handler of each task, and none for a stranger', () => {
    const registry = new HandlerRegistry(all, ['predictions'])
    expect(registry.find('ml.process_prediction')?.contract).toBe(processPrediction)
    expect(registry.find('ml.unheard_of')).toBeUndefined()
    expect([...registry.names].sort()).toEqual(Object.keys(catalogue).sort())
  })

  it('lets no worker start that lacks a handler of its queues', () => {
    const without = all.filter(({ contract }) => contract.name !== processPrediction.name)
    expect(() => new HandlerRegistry(without, ['predictions'])).toThrow('ml.process_prediction has no handler')
  })

  it('asks for no handler of a queue that is not consumed, but for those of every queue', () => {
    const onEvery = Object.values(catalogue).filter(({ queue }) => queue === 'every')
    expect(onEvery).toContain(healthCheck)
    const without = all.filter(({ contract }) => contract.queue !== 'predictions')
    expect(() => new HandlerRegistry(without, ['batch'])).not.toThrow()
    expect(() => new HandlerRegistry([], ['batch'])).toThrow('has no handler')
  })

  it('lets no worker start with two handlers for a task', () => {
    expect(() => new HandlerRegistry([...all, handlerOf(healthCheck)], ['predictions'])).toThrow('has two handlers')
  })
})
