import { describe, expect, it } from 'vitest'
import { celeryStateOf, isTerminal, sourcesOf, taskStates, terminalStates } from './task-states.js'

describe('task states', () => {
  it('lets nothing leave a terminal state', () => {
    for (const state of taskStates) {
      for (const source of sourcesOf(state)) expect(isTerminal(source)).toBe(false)
    }
    expect(terminalStates).toEqual(['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'])
  })

  it('starts a task only from a waiting state, so that a running or finished one cannot start twice', () => {
    expect(sourcesOf('running')).toEqual(['scheduled', 'queued', 'retrying'])
  })

  it('stores a result only from running', () => {
    expect(sourcesOf('succeeded')).toEqual(['running'])
    expect(sourcesOf('timed_out')).toEqual(['running'])
    expect(sourcesOf('retrying')).toEqual(['running'])
  })

  it('has a Celery word for each state', () => {
    expect(taskStates.map(celeryStateOf)).toEqual([
      'PENDING',
      'PENDING',
      'STARTED',
      'RETRY',
      'SUCCESS',
      'FAILURE',
      'REVOKED',
      'FAILURE',
      'REVOKED',
    ])
  })
})
