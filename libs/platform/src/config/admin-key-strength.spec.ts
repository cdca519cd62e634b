import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isEasyToGuess } from './admin-key-strength.js'
import { loadConfig } from './load-config.js'

describe('A5: an admin key that is configured', () => {
  it.each([
    'mg_aaaaaaaaaaaaaaaaaaaaaaaa',
    'mg_abababababababababababab',
    'mg_abcdefghijklmnopqrstuvwxyz',
    'mg_01234567890123456789',
    'mg_9876543210-9876543210',
    'mg_change-me-change-me-change-me',
    'mg_your-secret-admin-api-key-here-12345',
    'mg_example-key-of-memoryguard',
    'mg_Password-Password-Password1',
    'mg_qwertyuiopasdfghjklzxcvbnm',
    'mg_x7Kq9Zx7Kq9Zx7Kq9Zx7Kq9Zx7Kq9Z',
    'mg_x7Kq9ZpLw3-x7Kq9ZpLw3-x7Kq9ZpLw4',
    'mg_--------------------------------',
  ])('is refused if it can be guessed: %s', (key) => {
    expect(isEasyToGuess(key)).toBe(true)
    expect(() => loadConfig({ ADMIN_API_KEY: key })).toThrow(/ADMIN_API_KEY: is easy to guess.*openssl rand -hex 32/)
  })

  it('is refused if it is short, in the same words', () => {
    expect(() => loadConfig({ ADMIN_API_KEY: 'mg_x7Kq9Z' })).toThrow(/openssl rand -hex 32/)
  })

  it('is accepted if it is random, however it is written', () => {
    const keys = Array.from({ length: 300 }, (_, seed) => createHash('sha256').update(String(seed)).digest()).flatMap(
      (hash) => [hash.toString('hex'), hash.toString('base64url'), hash.toString('base64url').slice(0, 24)],
    )
    expect(keys.filter((key) => isEasyToGuess(`mg_${key}`))).toEqual([])
    expect(loadConfig({ ADMIN_API_KEY: 'mg_x7Kq9ZpLw3Tn5Vb8Rc2Jd6' }).adminApiKey).toBe('mg_x7Kq9ZpLw3Tn5Vb8Rc2Jd6')
  })
})
