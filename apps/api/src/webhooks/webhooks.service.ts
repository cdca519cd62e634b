import {
  WebhookDeliveryRepository,
  WebhookRepository,
  type Database,
  type Delivery,
  type Webhook,
} from '#libs/database'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { AuditTrail, type Caller } from '../access/audit-trail.js'
import { toPage } from '../http/paging.js'
import {
  toDeliveryResponse,
  urlFault,
  type DeliveryQuery,
  type WebhookPatch,
  type WebhookRequest,
} from './webhooks.schemas.js'

const noWebhook = (): MemoryGuardError => new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such webhook.')

/** Webhooks and the log of their deliveries. What is changed goes to the audit trail, secrets and URLs left out. */
@Injectable()
export class WebhooksService {
  constructor(
    private readonly webhooks: WebhookRepository,
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly audit: AuditTrail,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  list(): Promise<readonly Webhook[]> {
    return this.webhooks.list()
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async get(id: string): Promise<Webhook> {
    const webhook = await this.webhooks.find(id)
    if (!webhook) throw noWebhook()
    return webhook
  }

  /** @throws MemoryGuardError REQUEST_INVALID for a URL that may not be called. */
  async create({ tasks, is_active: isActive, ...rest }: WebhookRequest, caller: Caller) {
    this.checkUrl(rest.url)
    return this.audit.change(
      caller,
      (database) => new WebhookRepository(database).create({ ...rest, taskNames: tasks, isActive }),
      ({ webhook }) => ({ action: 'webhook.create', target: webhook.id }),
    )
  }

  /** @throws MemoryGuardError REQUEST_INVALID, RESOURCE_NOT_FOUND */
  async update(id: string, patch: WebhookPatch, caller: Caller): Promise<Webhook> {
    const { url, description, events, tasks, is_active: isActive } = patch
    if (url !== undefined) this.checkUrl(url)
    const change = {
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(events !== undefined && { events }),
      ...(tasks !== undefined && { taskNames: tasks }),
      ...(isActive !== undefined && { isActive }),
    }
    const toWebhook = (database: Database) => new WebhookRepository(database).update(id, change)
    return this.change(caller, 'update', id, toWebhook, { changed: Object.keys(patch) })
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async remove(id: string, caller: Caller): Promise<void> {
    await this.change(caller, 'delete', id, async (database) =>
      (await new WebhookRepository(database).remove(id)) ? id : null,
    )
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async rotateSecret(id: string, caller: Caller): Promise<string> {
    return this.change(caller, 'rotate_secret', id, (database) => new WebhookRepository(database).rotateSecret(id))
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND; WEBHOOK_INACTIVE */
  async test(id: string, caller: Caller): Promise<Delivery> {
    this.mustBeActive(await this.get(id))
    return this.change(caller, 'test', id, (database) => new WebhookDeliveryRepository(database).createTest(id))
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async listDeliveries(id: string, { state, cursor, limit }: DeliveryQuery) {
    await this.get(id)
    return toPage(
      await this.deliveries.list(id, { state, before: cursor, limit: limit + 1 }),
      limit,
      (delivery) => toDeliveryResponse(id, delivery),
      ({ position }) => String(position),
    )
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND; WEBHOOK_INACTIVE */
  async redeliver(id: string, deliveryId: string, caller: Caller): Promise<Delivery> {
    this.mustBeActive(await this.get(id))
    const redeliver = async (database: Database) => {
      const delivery = await new WebhookDeliveryRepository(database).redeliver(id, deliveryId)
      if (!delivery) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such delivery.')
      return delivery
    }
    return this.change(caller, 'redeliver', id, redeliver, { delivery: deliveryId })
  }

  private mustBeActive({ isActive }: Webhook): void {
    if (!isActive) throw new MemoryGuardError('WEBHOOK_INACTIVE', 'It is switched off. PATCH it with is_active: true.')
  }

  private checkUrl(url: string): void {
    const message = this.config.webhooks.allowPrivateAddresses ? undefined : urlFault(url)
    if (message === undefined) return
    throw new MemoryGuardError('REQUEST_INVALID', 'This URL may not be called; see `errors`.', {
      faults: [{ pointer: '/url', message }],
    })
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND if the change finds no webhook. */
  private change<Outcome>(
    caller: Caller,
    what: string,
    id: string,
    change: (database: Database) => Promise<Outcome | null>,
    details: Readonly<Record<string, unknown>> = {},
  ): Promise<Outcome> {
    const changeExisting = async (database: Database) => {
      const outcome = await change(database)
      if (outcome === null) throw noWebhook()
      return outcome
    }
    return this.audit.change(caller, changeExisting, () => ({ action: `webhook.${what}`, target: id, details }))
  }
}
