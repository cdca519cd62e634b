import { describe, expect, it } from 'vitest'
import { describeCron } from './cron-words.ts'

describe('a cron pattern in words', () => {
  it.each([
    ['30 2 * * mon', 'At 02:30, on Monday'],
    ['0 3 * * *', 'At 03:00 every day'],
    ['@daily', 'At 00:00 every day'],
    ['@hourly', 'At minute 0 of every hour'],
    ['@weekly', 'At 00:00, on Sunday'],
    ['*/15 * * * *', 'Every 15 minutes'],
    ['* * * * *', 'Every minute'],
    ['0 8,20 * * 1-5', 'At 08:00 and 20:00, on Monday to Friday'],
    ['*/5 8-18 * * *', 'Every 5 minutes in the hours 8 to 18'],
    ['0 */6 * * *', 'At minute 0 of every 6 hours'],
    ['0 0 1 * *', 'At 00:00, on the 1st of the month'],
    ['0 0 L * *', 'At 00:00, on the last day of the month'],
    ['0 0 1 1,7 *', 'At 00:00, on the 1st of the month, in January and July'],
    ['0 9 * * 5#2', 'At 09:00, on the 2nd Friday of the month'],
    ['0 9 * * 5L', 'At 09:00, on the last Friday of the month'],
    ['0 0 13 * 5', 'At 00:00, on the 13th of the month and also on Friday'],
    ['0 0 * * 7', 'At 00:00, on Sunday'],
    ['*/10 * * * * *', 'Every 10 seconds'],
    ['15 30 2 * * *', 'At 02:30:15 every day'],
  ])('says %s as "%s"', (cron, words) => {
    expect(describeCron(cron)).toBe(words)
  })

  it.each(['', 'monday', '1 2 3', '1 2 3 4 5 6 7'])('says nothing of "%s"', (cron) => {
    expect(describeCron(cron)).toBeUndefined()
  })
})
