import { describe, expect, it } from 'vitest'
import { summaryOf, type ExamplePrediction } from './worked-example.js'

const facts = {
  url: 'http://127.0.0.1:3000',
  adminKey: 'mg_key',
  adminKeySource: 'kept in .memoryguard/admin-key',
  logFolder: '.memoryguard/logs',
  consoleLink: undefined,
  seconds: 4.21,
}

const prediction: ExamplePrediction = {
  id: 7,
  state: 'succeeded',
  risk_score: 0.613,
  risk_category: 'very_high',
  confidence_interval: { lower: 0.484, upper: 0.72, level: 0.95 },
  model: { name: 'impairment-screen', version: '1' },
}

describe('summary of a start', () => {
  it('shows the result, where it is from, and how to ask again', () => {
    const text = summaryOf(prediction, facts).join('\n')
    expect(text).toContain('61 % very high, 95 % interval 48 % to 72 %')
    expect(text).toContain('impairment-screen@1')
    expect(text).toContain('Decision support, not diagnosis.')
    expect(text).toContain('http://127.0.0.1:3000/docs')
    const [curl] = text.split('\n').filter((line) => line.trim().startsWith('curl '))
    expect(curl).toContain(`-H 'Authorization: Bearer mg_key'`)
    expect(curl).toContain(`-d '{"user_id":123,"health_metrics":{"mmse_score":24,"age":72}}'`)
  })

  it('has the link for a browser where there is a console', () => {
    const consoleLink = 'http://127.0.0.1:3000/#start=token'
    expect(summaryOf(prediction, { ...facts, consoleLink }).join('\n')).toContain(consoleLink)
    expect(summaryOf(prediction, facts).join('\n')).not.toContain('Console')
  })

  it('shows no risk where there is none', () => {
    const text = summaryOf({ id: 7, state: 'failed', risk_score: null }, facts).join('\n')
    expect(text).toContain('failed')
    expect(text).not.toContain('%')
    expect(summaryOf(undefined, facts).join('\n')).toContain('http://127.0.0.1:3000/docs')
  })
})
