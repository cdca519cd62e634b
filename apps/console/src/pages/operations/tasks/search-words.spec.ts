import { describe, expect, it } from 'vitest'
import { isFreeId, isWhole, withoutWord, withWords, wordOf, wordsOf } from './search-words.ts'

describe('the words of a search', () => {
  it('are separated by blanks outside of quotes', () => {
    expect(wordsOf('  state:failed worker:"my worker"  ')).toEqual(['state:failed', 'worker:"my worker"'])
    expect(wordsOf('')).toEqual([])
  })

  it('are removed one by one', () => {
    expect(withoutWord('state:failed worker:"my worker" since:1h', 1)).toBe('state:failed since:1h')
    expect(withoutWord('state:failed', 0)).toBe('')
  })

  it('replace the word with the same key', () => {
    expect(withWords('state:failed queue:batch', 'STATE:queued since:1h')).toBe('queue:batch STATE:queued since:1h')
    expect(withWords('', 'state:failed')).toBe('state:failed')
    expect(withWords('12', '13')).toBe('12 13')
  })

  it('are quoted where the value has a blank', () => {
    expect(wordOf('worker', 'my worker')).toBe('worker:"my worker"')
    expect(wordOf('worker', 'w1')).toBe('worker:w1')
  })

  it('end with a blank unless a quote is open', () => {
    expect(isWhole('worker:"my')).toBe(false)
    expect(isWhole('worker:"my worker"')).toBe(true)
  })

  it('are a free id alone', () => {
    expect(isFreeId('0192b3e4-0000-7000-8000-000000000001')).toBe(true)
    expect(isFreeId('123')).toBe(true)
    expect(isFreeId('user:123')).toBe(false)
    expect(isFreeId('0192b3e4-0000')).toBe(false)
  })
})
