import { expect, it } from 'vitest'
import { catalogue, isTaskName, runnable, shownName, storedNames } from './catalogue.js'

const [batch, chunk] = ['ml.batch_predictions', 'ml.compute_batch_chunk']

it('callers know the chunks of a batch by the name of the batch, and no other name of them', () => {
  expect([isTaskName(batch), isTaskName(chunk)]).toEqual([true, false])
  expect([shownName(batch), shownName(chunk)]).toEqual([batch, batch])
  expect([storedNames(batch), storedNames(chunk)]).toEqual([[batch, chunk], []])
})

it('every other task is called, run, stored and shown under one name', () => {
  const others = Object.keys(catalogue).filter((name) => name !== batch)
  expect(others).toEqual(Object.keys(runnable).filter((name) => name !== chunk))
  for (const name of others) expect([shownName(name), storedNames(name)]).toEqual([name, [name]])
})
