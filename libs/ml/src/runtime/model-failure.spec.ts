import { describe, expect, it } from 'vitest'
import { modelFailure } from './model-failure.js'

describe('D3: the failure of a graph', () => {
  it.each([
    ['Non-zero status code returned while running Gather node', false],
    ['Got invalid dimensions for input: X', false],
    ['std::bad_alloc', true],
    ['Failed to allocate memory for requested buffer of size #', true],
  ])('is retried only if another try may go otherwise: %s', (words, retryable) => {
    const cause = new Error(words)
    expect(modelFailure('a@1', cause)).toMatchObject({ code: 'MODEL_OUTPUT_INVALID', retryable, cause })
  })
})
