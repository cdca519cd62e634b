import { describe, expect, it } from 'vitest'
import type { Me } from '../session/session.tsx'
import { findPlaces } from './places.ts'

const me = { user_id: null } as Me
const pages = [
  { to: '/tasks', label: 'Tasks', icon: 'tasks', role: 'viewer' },
  { to: '/queues', label: 'Queues', icon: 'queues', role: 'viewer' },
] as const
const models = [{ name: 'ukbdrs', version: '1' }]
const labels = (text: string, whose = me) => findPlaces(text, pages, whose, models).map(({ label }) => label)

describe('the places of a text', () => {
  it('are all pages without one', () => {
    expect(labels('')).toEqual(['Tasks', 'Queues'])
  })

  it('are pages and models by name, and last a search', () => {
    expect(labels('QUE')).toEqual(['Queues', 'Search tasks for QUE'])
    expect(labels('ukb')).toEqual(['Model ukbdrs 1', 'Search tasks for ukb'])
  })

  it('are the task of a UUID first', () => {
    const [task] = findPlaces(' 0192B3E4-0000-7000-8000-000000000001 ', pages, me)
    expect(task).toMatchObject({ label: 'Open the task', link: { to: '/tasks/0192b3e4-0000-7000-8000-000000000001' } })
  })

  it('are person and prediction of a number', () => {
    expect(labels('12')).toEqual(['Person 12', 'Prediction 12', 'Search tasks for 12'])
  })

  it('are pages alone for a key of one person', () => {
    expect(labels('12', { ...me, user_id: 7 })).toEqual([])
  })
})
