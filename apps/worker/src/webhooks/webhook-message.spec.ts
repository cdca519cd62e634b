import { describe, expect, it } from 'vitest'
import { bodyOf, signMessage } from './webhook-message.js'

/** The example that the libraries of the specification are tested with. */
const example = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' }
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

describe('a webhook message', () => {
  it('is signed as the example of the specification', () => {
    expect(signMessage(example, [secret])).toBe(signature)
    expect(signMessage(example, [secret.slice('whsec_'.length)])).toBe(signature)
  })

  it('is signed by the secret before, too', () => {
    const signatures = signMessage(example, ['whsec_AAAA', secret]).split(' ')
    expect(signatures).toHaveLength(2)
    expect(signatures[1]).toBe(signature)
  })

  it('has type, time and state in the words of both worlds', () => {
    const occurredAt = new Date('2030-01-31T12:00:00Z')
    expect(JSON.parse(bodyOf({ event: 'task.expired', occurredAt, data: { task_id: 't', state: 'expired' } }))).toEqual(
      {
        type: 'task.expired',
        timestamp: '2030-01-31T12:00:00.000Z',
        data: { task_id: 't', state: 'expired', celery_state: 'REVOKED' },
      },
    )
    expect(JSON.parse(bodyOf({ event: 'webhook.test', occurredAt, data: { webhook_id: 'w' } }))).toMatchObject({
      data: { webhook_id: 'w' },
    })
  })
})
