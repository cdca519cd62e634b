import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { v7 as uuidv7 } from 'uuid'

/** How long a secret signs after it was replaced, in hours. */
const overlapHours = 24
/** Random bytes of a secret; Standard Webhooks asks for 24 to 64. */
const secretBytes = 32

/** What a caller says of a webhook. */
export interface WebhookSettings {
  readonly url: string
  readonly description: string | null
  /** Events it receives, such as `task.failed`. */
  readonly events: readonly string[]
  /** Names of the tasks whose events it receives; null for all. */
  readonly taskNames: readonly string[] | null
  readonly isActive: boolean
}

/** A webhook as it is shown: its secret is not part of it. */
export interface Webhook extends WebhookSettings {
  readonly id: string
  /** Why it was switched off by the service. */
  readonly disabledReason: string | null
  readonly createdAt: Date
}

/** The columns of a `Webhook`. */
const columns = `id, url, description, events, task_names AS "taskNames", is_active AS "isActive",
  disabled_reason AS "disabledReason", created_at AS "createdAt"`

const newSecret = (): string => `whsec_${randomBytes(secretBytes).toString('base64')}`

/** Webhooks for the ends of tasks. A secret is returned only when it is created, and with a delivery that it signs. */
@Injectable()
export class WebhookRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  async create(settings: WebhookSettings): Promise<{ readonly webhook: Webhook; readonly secret: string }> {
    const secret = newSecret()
    const { url, description, events, taskNames, isActive } = settings
    const [webhook]: Webhook[] = await this.database.query(
      `INSERT INTO webhooks (id, url, description, events, task_names, is_active, secret)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${columns}`,
      [uuidv7(), url, description, events, taskNames, isActive, secret],
    )
    if (!webhook) throw new Error('An insert returned no row')
    return { webhook, secret }
  }

  /** Newest first. */
  async list(): Promise<readonly Webhook[]> {
    return this.database.query(`SELECT ${columns} FROM webhooks ORDER BY id DESC`)
  }

  async find(id: string): Promise<Webhook | null> {
    const [webhook]: Webhook[] = await this.database.query(`SELECT ${columns} FROM webhooks WHERE id = $1`, [id])
    return webhook ?? null
  }

  /**
   * Changes the given settings. A webhook that is enabled again receives only later ends of tasks; its deliveries that
   * waited when it was disabled have failed.
   */
  async update(id: string, settings: Partial<WebhookSettings>): Promise<Webhook | null> {
    const { url, description, events, taskNames, isActive } = settings
    const [webhook]: Webhook[] = await this.database.query(
      `WITH changed AS (
         UPDATE webhooks SET
           url = coalesce($2, url),
           description = CASE WHEN $3 THEN $4 ELSE description END,
           events = coalesce($5::text[], events),
           task_names = CASE WHEN $6 THEN $7::text[] ELSE task_names END,
           is_active = coalesce($8, is_active),
           active_since = CASE WHEN $8 AND NOT is_active THEN now() ELSE active_since END,
           disabled_reason = CASE WHEN $8 THEN NULL ELSE disabled_reason END
         WHERE id = $1 RETURNING *
       ), failed AS (
         -- Also what was made while it was being switched off.
         UPDATE webhook_deliveries d SET state = 'failed', error = 'The webhook was switched off.'
         FROM changed c
         WHERE d.webhook_id = c.id AND d.state = 'pending' AND (NOT c.is_active OR c.active_since = now())
       ) SELECT ${columns} FROM changed`,
      [
        id,
        url ?? null,
        description !== undefined,
        description ?? null,
        events ?? null,
        taskNames !== undefined,
        taskNames ?? null,
        isActive ?? null,
      ],
    )
    return webhook ?? null
  }

  /** Makes a new secret; the one before signs along with it for a day. Null without such a webhook. */
  async rotateSecret(id: string): Promise<string | null> {
    const secret = newSecret()
    const rows: unknown[] = await this.database.query(
      `WITH changed AS (
         UPDATE webhooks SET previous_secret = secret, secret = $2,
           previous_secret_until = now() + make_interval(hours => ${overlapHours})
         WHERE id = $1 RETURNING id
       ) SELECT id FROM changed`,
      [id, secret],
    )
    return rows.length > 0 ? secret : null
  }

  /** With its deliveries. @returns false if there is none. */
  async remove(id: string): Promise<boolean> {
    const rows: unknown[] = await this.database.query(
      `WITH gone AS (DELETE FROM webhooks WHERE id = $1 RETURNING id) SELECT id FROM gone`,
      [id],
    )
    return rows.length > 0
  }
}
