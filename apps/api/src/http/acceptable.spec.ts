import { describe, expect, it } from 'vitest'
import { chooseType } from './acceptable.js'

describe('the wanted media type', () => {
  const rows = ['application/x-ndjson', 'text/csv']

  it.each([
    [undefined, undefined, 'application/json'],
    ['*/*', undefined, 'application/json'],
    ['', undefined, 'application/json'],
    ['application/json', undefined, 'application/json'],
    ['Application/JSON; charset=utf-8', undefined, 'application/json'],
    ['application/*;q=0.1', undefined, 'application/json'],
    ['text/html, application/xhtml+xml, */*;q=0.8', undefined, 'application/json'],
    ['text/csv', rows, 'text/csv'],
    ['text/csv;q=0.5, application/x-ndjson', rows, 'application/x-ndjson'],
    ['text/*', rows, 'text/csv'],
    ['*/*, application/x-ndjson;q=0', rows, 'text/csv'],
  ])('E2: %s', (accept, types, expected) => expect(chooseType(accept, types)).toBe(expected))

  it.each(['application/fhir+json', 'text/html', 'application/json;q=0', '*/*;q=0', 'nonsense'])(
    'E2: %s is not available, and what is, is said',
    (accept) =>
      expect(() => chooseType(accept)).toThrow(
        expect.objectContaining({
          code: 'REQUEST_NOT_ACCEPTABLE',
          message: expect.stringContaining('application/json') as string,
        }),
      ),
  )
})
