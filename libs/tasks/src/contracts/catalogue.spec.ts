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

const everyName = [batch, ...Object.keys(runnable)].toSorted()

it.each([
  ['ml.*', everyName],
  ['*', everyName],
  ['*_forecasts', ['ml.update_forecasts']],
  ['ml.*batch*', [batch, chunk]],
  ['ml.health_check*', ['ml.health_check']],
  ['ml.*.check', []],
  ['ml.health*health_check', []],
])('the pattern %s stands for the names that fit it', (pattern, names) => {
  expect(storedNames(pattern).toSorted()).toEqual(names)
})
