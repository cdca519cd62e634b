import { createHmac } from 'node:crypto'
import type { ClaimedDelivery } from '#libs/database'
import { celeryStateOf, taskStates } from '#libs/tasks/contracts'

/** What is signed: Standard Webhooks, https://www.standardwebhooks.com */
export interface SignedMessage {
  readonly id: string
  /** Seconds since the epoch. */
  readonly timestamp: number
  readonly body: string
}

/** The `webhook-signature` header: one signature for each secret, separated by spaces. */
export const signMessage = ({ id, timestamp, body }: SignedMessage, secrets: readonly string[]): string =>
  secrets
    .map((secret) => {
      const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
    })
    .join(' ')

/** The body of a message, the same at every attempt. It holds identifiers and states, never health data. */
export const bodyOf = ({ event, occurredAt, data }: Pick<ClaimedDelivery, 'event' | 'occurredAt' | 'data'>): string => {
  const state = taskStates.find((known) => known === data['state'])
  return JSON.stringify({
    type: event,
    timestamp: occurredAt.toISOString(),
    data: { ...data, ...(state && { celery_state: celeryStateOf(state) }) },
  })
}
