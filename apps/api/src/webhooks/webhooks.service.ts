import { WebhookDeliveryRepository, WebhookRepository, type Delivery, type Webhook } from '#libs/database'
import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import type { Principal } from '../access/access.js'
import { AuditTrail } from '../access/audit-trail.js'
import { toPage } from '../http/paging.js'
import {
  toDeliveryAnswer,
  urlFault,
  type DeliveryQuery,
  type WebhookPatch,
  type WebhookRequest,
} from './webhooks.schemas.js'

/** Who asks, and by which request, for the audit trail. */
export interface Caller {
  readonly principal: Principal
  readonly requestId: string
}

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
    const created = await this.webhooks.create({ ...rest, taskNames: tasks, isActive })
    await this.record(caller, 'create', created.webhook.id)
    return created
  }

  /** @throws MemoryGuardError REQUEST_INVALID, RESOURCE_NOT_FOUND */
  async update(id: string, patch: WebhookPatch, caller: Caller): Promise<Webhook> {
    const { url, description, events, tasks, is_active: isActive } = patch
    if (url !== undefined) this.checkUrl(url)
    const webhook = await this.webhooks.update(id, {
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(events !== undefined && { events }),
      ...(tasks !== undefined && { taskNames: tasks }),
      ...(isActive !== undefined && { isActive }),
    })
    if (!webhook) throw noWebhook()
    await this.record(caller, 'update', id, { changed: Object.keys(patch) })
    return webhook
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async remove(id: string, caller: Caller): Promise<void> {
    if (!(await this.webhooks.remove(id))) throw noWebhook()
    await this.record(caller, 'delete', id)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async rotateSecret(id: string, caller: Caller): Promise<string> {
    const secret = await this.webhooks.rotateSecret(id)
    if (secret === null) throw noWebhook()
    await this.record(caller, 'rotate_secret', id)
    return secret
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND; WEBHOOK_INACTIVE */
  async test(id: string, caller: Caller): Promise<Delivery> {
    this.mustBeActive(await this.get(id))
    const delivery = await this.deliveries.createTest(id)
    await this.record(caller, 'test', id)
    return delivery
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async listDeliveries(id: string, { state, cursor, limit }: DeliveryQuery) {
    await this.get(id)
    return toPage(
      await this.deliveries.list(id, { state, before: cursor, limit: limit + 1 }),
      limit,
      (delivery) => toDeliveryAnswer(id, delivery),
      ({ position }) => String(position),
    )
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND; WEBHOOK_INACTIVE */
  async redeliver(id: string, deliveryId: string, caller: Caller): Promise<Delivery> {
    this.mustBeActive(await this.get(id))
    const delivery = await this.deliveries.redeliver(id, deliveryId)
    if (!delivery) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such delivery.')
    await this.record(caller, 'redeliver', id, { delivery: deliveryId })
    return delivery
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

  private record(
    { principal, requestId }: Caller,
    what: string,
    id: string,
    details: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    return this.audit.record(principal, requestId, `webhook.${what}`, id, details)
  }
}
