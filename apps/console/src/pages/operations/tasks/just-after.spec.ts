import { describe, expect, it } from 'vitest'
import { justAfter } from './just-after.ts'

describe('the UUID after another', () => {
  it('is greater by one, and as long', () => {
    expect(justAfter('0192b3e4-0000-7000-8000-00000000000f')).toBe('0192b3e4-0000-7000-8000-000000000010')
    expect(justAfter('0192b3e4-0000-7000-8fff-ffffffffffff')).toBe('0192b3e4-0000-7000-9000-000000000000')
  })
})
