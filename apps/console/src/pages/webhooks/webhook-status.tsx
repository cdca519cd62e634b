import type { Schemas } from '../../api/client.ts'
import { Status } from '../../ui/status.tsx'

type Webhook = Schemas['Webhook']

/** Whether a webhook is sent to. */
export const WebhookStatus = ({ is_active: isActive, disabled_reason: reason }: Webhook) => {
  if (isActive) return <Status tone="ok">on</Status>
  return reason === null ? <Status tone="idle">off</Status> : <Status tone="bad">switched off</Status>
}

/** `succeeded, failed` for `task.succeeded`, `task.failed`. */
export const wordsOfEvents = (events: readonly string[]): string =>
  events.map((event) => event.replace(/^task\./, '').replaceAll('_', ' ')).join(', ')
