import { describe, expect, it } from 'vitest'
import { parseBearer } from './access.js'

describe('A9: the key of an Authorization header', () => {
  it.each(['Bearer mg_key', 'bearer mg_key', 'Bearer  mg_key', 'BEARER\t mg_key ', 'Bearer mg_key\t'])(
    'is read from %j',
    (header) => expect(parseBearer(header)).toBe('mg_key'),
  )

  it.each([undefined, '', 'mg_key', 'Bearer', 'Bearer ', 'Bearermg_key', 'Bearer mg_key other', 'Basic mg_key'])(
    'is not in %j',
    (header) => expect(parseBearer(header)).toBeUndefined(),
  )
})
