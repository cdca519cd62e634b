import { describe, expect, it } from 'vitest'
import { argsFault, parseArgs } from './task-args.ts'

describe('the arguments of a task as text', () => {
  it('are a JSON object', () => {
    expect(argsFault('{"user_id": 123}')).toBeUndefined()
    expect(parseArgs('{"user_id": 123}')).toEqual({ user_id: 123 })
  })

  it.each(['[1]', '1', 'null', '"a"'])('are not %s', (text) => {
    expect(argsFault(text)).toContain('Must be a JSON object')
  })

  it('say where they are no JSON', () => {
    expect(argsFault('{"user_id": }')).toMatch(/^Is not JSON: .+/)
  })
})
