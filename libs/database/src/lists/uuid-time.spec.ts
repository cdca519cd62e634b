import { v7 as uuidv7 } from 'uuid'
import { describe, expect, it } from 'vitest'
import { firstIdOf, isMadeBefore } from './uuid-time.js'

const at = (msecs: number) => uuidv7({ msecs })
const time = new Date(1_764_000_000_000)

describe('the time in an id', () => {
  it('divides the ids that were made before from the others', () => {
    expect(at(time.getTime() - 1) < firstIdOf(time)).toBe(true)
    expect(at(time.getTime()) >= firstIdOf(time)).toBe(true)
    expect(isMadeBefore(at(time.getTime() - 1).toUpperCase(), time)).toBe(true)
    expect(isMadeBefore(at(time.getTime()), time)).toBe(false)
  })

  it('is not read off an id of another version', () => {
    expect(isMadeBefore('00000000-0000-4000-8000-000000000000', time)).toBe(false)
  })
})
