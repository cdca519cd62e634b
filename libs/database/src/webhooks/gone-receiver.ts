import { AuditRepository } from '../access/audit.repository.js'
import type { Database } from '../connection/database.js'

/** Switches a webhook off whose receiver is gone. What waits for it fails: nobody expects it when it is switched on again. */
export const switchOffGone = async (transaction: Database, webhookId: string): Promise<void> => {
  const [row]: { was_active: boolean }[] = await transaction.query(
    `WITH before AS (
         SELECT id, is_active FROM webhooks WHERE id = $1 FOR UPDATE
       ), off AS (
         UPDATE webhooks w SET is_active = false, disabled_reason = $2 FROM before WHERE w.id = before.id RETURNING w.id
       ), failed AS (
         UPDATE webhook_deliveries d SET state = 'failed', error = $2
         FROM off WHERE d.webhook_id = off.id AND d.state = 'pending'
       ) SELECT is_active AS was_active FROM before`,
    [webhookId, 'The receiver responded with 410: it is gone.'],
  )
  if (!row?.was_active) return
  await new AuditRepository(transaction).recordOwn('webhook.disable', webhookId, { status: 410 })
}
