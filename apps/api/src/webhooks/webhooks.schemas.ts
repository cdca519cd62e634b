import { isIP } from 'node:net'
import { webhookEvents, type Delivery, type Webhook } from '#libs/database'
import { isPublicAddress } from '#libs/platform'
import { z } from 'zod'
import { pageLimit } from '../http/paging.js'
import { plainText } from '../http/plain-text.js'
import { strictInput } from '../http/strict-input.js'
import { taskName } from '../tasks/task-name.js'

const instant = z.iso.datetime()
const allEvents = [...webhookEvents]
/** Most entries of a list of events or tasks. */
const maxEntries = 100

const url = plainText(2_000)
  .refine((text) => URL.canParse(text) && /^https?:/i.test(text), { error: 'must be a URL with https', abort: true })
  .refine((text) => new URL(text).username === '' && new URL(text).password === '', {
    error: 'must hold no name and no password; the receiver knows us by the signature',
  })

const settings = {
  url: url.describe('Where messages are posted to: https, and an address of the public internet'),
  description: plainText(200).nullable(),
  events: z
    .array(z.enum(allEvents, { error: `must be one of ${allEvents.join(', ')}` }), { error: 'must be a list' })
    .min(1)
    .max(maxEntries)
    .describe('Events it receives'),
  tasks: z
    .array(taskName)
    .min(1)
    .max(maxEntries)
    .nullable()
    .describe('Names of the tasks whose events it receives; null for all'),
  is_active: z.boolean(),
}

export const webhookRequest = strictInput({
  url: settings.url,
  description: settings.description.default(null),
  events: settings.events.default(allEvents),
  tasks: settings.tasks.default(null),
  is_active: settings.is_active.default(true),
}).meta({
  id: 'WebhookRequest',
  examples: [{ url: 'https://example.org/hooks/memoryguard', events: ['task.succeeded', 'task.failed'] }],
})

export type WebhookRequest = z.infer<typeof webhookRequest>

export const webhookPatch = strictInput({
  url: settings.url.optional(),
  description: settings.description.optional(),
  events: settings.events.optional(),
  tasks: settings.tasks.optional(),
  is_active: settings.is_active.optional(),
}).meta({ id: 'WebhookPatch', examples: [{ is_active: false }] })

export type WebhookPatch = z.infer<typeof webhookPatch>

export const webhookResponse = z
  .strictObject({
    id: z.uuid(),
    url: z.string(),
    description: z.string().nullable(),
    events: z.array(z.string()),
    tasks: z.array(z.string()).nullable(),
    is_active: z.boolean(),
    disabled_reason: z.string().nullable().describe('Why the service has switched it off'),
    created_at: instant,
  })
  .meta({ id: 'Webhook' })

export type WebhookResponse = z.infer<typeof webhookResponse>

export const newWebhookResponse = webhookResponse
  .extend({ secret: z.string().describe('`whsec_...`: verifies the signature. Shown this once') })
  .meta({ id: 'NewWebhook' })

export type NewWebhookResponse = z.infer<typeof newWebhookResponse>

export const webhookPage = z
  .strictObject({ items: z.array(webhookResponse), next_cursor: z.null() })
  .meta({ id: 'WebhookPage' })

export const secretResponse = z
  .strictObject({ id: z.uuid(), secret: z.string().describe('The one before signs too for another 24 hours') })
  .meta({ id: 'WebhookSecret' })

export type SecretResponse = z.infer<typeof secretResponse>

const deliveryStates = ['pending', 'delivered', 'failed'] as const

export const deliveryResponse = z
  .strictObject({
    id: z.uuid().describe('The `webhook-id` of each attempt'),
    webhook_id: z.uuid(),
    event: z.string(),
    task_id: z.uuid().nullable(),
    state: z.enum(deliveryStates),
    attempts: z.int(),
    next_attempt_at: instant.nullable(),
    status_code: z.int().nullable().describe('Of the last response'),
    error: z.string().nullable(),
    created_at: instant,
    last_attempt_at: instant.nullable(),
  })
  .meta({ id: 'WebhookDelivery' })

export type DeliveryResponse = z.infer<typeof deliveryResponse>

export const deliveryPage = z
  .strictObject({ items: z.array(deliveryResponse), next_cursor: z.string().nullable() })
  .meta({ id: 'WebhookDeliveryPage' })

export const deliveryQuery = strictInput({
  state: z.enum(deliveryStates, { error: `must be one of ${deliveryStates.join(', ')}` }).optional(),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'must be a `next_cursor` of an earlier page')
    .transform(Number)
    .optional(),
  limit: pageLimit,
})

export type DeliveryQuery = z.infer<typeof deliveryQuery>

export const uuidParameter = z.uuid({ error: 'must be a UUID' })

/** What is wrong with a URL where only public addresses are let through; a name is checked when it is connected to. */
export const urlFault = (text: string): string | undefined => {
  const { protocol, hostname } = new URL(text)
  if (protocol !== 'https:') return 'must begin with https'
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const isLocal = host === 'localhost' || host.endsWith('.localhost')
  if (isLocal || (isIP(host) !== 0 && !isPublicAddress(host))) return 'must be an address of the public internet'
  return undefined
}

export const toWebhookResponse = (webhook: Webhook): WebhookResponse => ({
  id: webhook.id,
  url: webhook.url,
  description: webhook.description,
  events: [...webhook.events],
  tasks: webhook.taskNames && [...webhook.taskNames],
  is_active: webhook.isActive,
  disabled_reason: webhook.disabledReason,
  created_at: webhook.createdAt.toISOString(),
})

export const toDeliveryResponse = (webhookId: string, delivery: Delivery): DeliveryResponse => ({
  id: delivery.id,
  webhook_id: webhookId,
  event: delivery.event,
  task_id: delivery.taskId,
  state: delivery.state,
  attempts: delivery.attempts,
  next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
  status_code: delivery.statusCode,
  error: delivery.error,
  created_at: delivery.createdAt.toISOString(),
  last_attempt_at: delivery.lastAttemptAt?.toISOString() ?? null,
})
