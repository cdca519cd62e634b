import type { LookupFunction } from 'node:net'
import { WebhookDeliveryRepository, type AttemptReport, type ClaimedDelivery } from '#libs/database'
import { CONFIG, LOGGER, Tracing, type Config, type Logger, type OpenSpan } from '#libs/platform'
import { Inject, Injectable } from '@nestjs/common'
import { WorkerMetrics } from '../health/worker-metrics.js'
import { AddressRefusedError, checkedLookup } from './checked-lookup.js'
import { HostResolver } from './host-resolver.js'
import { postMessage } from './post-message.js'
import { bodyOf, signMessage } from './webhook-message.js'

/** Attempts of one webhook under way at once in this process, so that a slow receiver holds up no other. */
const maxPerWebhook = 10
/** How long a claim outlives the longest attempt, in seconds. */
const leaseMarginSeconds = 2
/** Share of a delay by which it is lengthened at most, so that many retries do not come at once. */
const jitter = 0.1

/** Attempts deliveries that are due, and stores their outcomes. */
@Injectable()
export class WebhookSender {
  /** Called when a webhook that had as many attempts under way as it may has room for another. */
  onRoom: () => void = () => undefined
  private readonly underWay = new Map<string, number>()
  private readonly attempts = new Set<Promise<void>>()
  private readonly stopping = new AbortController()
  private readonly lookup: LookupFunction
  private readonly settings: Config['webhooks']

  constructor(
    private readonly deliveries: WebhookDeliveryRepository,
    private readonly metrics: WorkerMetrics,
    private readonly tracing: Tracing,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.settings = config.webhooks
    this.lookup = checkedLookup(new HostResolver(), config.webhooks.allowPrivateAddresses)
  }

  /** Claims what is due and begins to send it. Returns whether there was something. */
  async sendDue(): Promise<boolean> {
    const busy = [...this.underWay].filter(([, count]) => count >= maxPerWebhook).map(([id]) => id)
    const leaseSeconds = this.settings.timeoutSeconds + leaseMarginSeconds
    const claimed = await this.deliveries.claim(busy, maxPerWebhook, leaseSeconds)
    for (const delivery of claimed) {
      const attempt = this.attempt(delivery).finally(() => this.attempts.delete(attempt))
      this.attempts.add(attempt)
    }
    return claimed.length > 0
  }

  /** Ends what is under way; it is attempted again elsewhere with the same id. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.attempts)
  }

  private async attempt(delivery: ClaimedDelivery): Promise<void> {
    const { id, attempt, webhookId } = delivery
    this.underWay.set(webhookId, (this.underWay.get(webhookId) ?? 0) + 1)
    try {
      const span = this.beginSpan(delivery)
      const report = await this.send(delivery, span)
      endSpan(span, report)
      await (report ? this.deliveries.report(report) : this.deliveries.release(id, attempt))
      if (report) this.metrics.countDelivery(outcomeOf(report))
    } catch (error) {
      // The claim runs out, and the delivery is attempted again.
      this.log.warn({ err: error, delivery: id }, 'delivery outcome not stored')
    } finally {
      const left = (this.underWay.get(webhookId) ?? 1) - 1
      if (left === maxPerWebhook - 1) this.onRoom()
      if (left > 0) this.underWay.set(webhookId, left)
      else this.underWay.delete(webhookId)
    }
  }

  /** The span of an attempt, below that of the request that submitted the task. */
  private beginSpan({ traceparent, taskId, webhookId, attempt }: ClaimedDelivery): OpenSpan | undefined {
    if (traceparent === null) return undefined
    const attributes = {
      ...(taskId !== null && { 'memoryguard.task.id': taskId }),
      'memoryguard.webhook.id': webhookId,
      'memoryguard.webhook.attempt': attempt,
    }
    return this.tracing.begin({ name: 'deliver webhook', kind: 'client', parent: traceparent, attributes })
  }

  /** Returns the outcome; undefined if the end of this process cut the attempt off. */
  private async send(delivery: ClaimedDelivery, span: OpenSpan | undefined): Promise<AttemptReport | undefined> {
    // Receivers compare the time with their clocks, and the database's is the one that is kept right.
    const { id, attempt, url, secrets, claimedAt: timestamp } = delivery
    const body = bodyOf(delivery)
    try {
      const statusCode = await postMessage({
        url,
        body,
        headers: {
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': signMessage({ id, timestamp, body }, secrets),
          ...(span && { traceparent: span.traceparent }),
        },
        timeoutMs: this.settings.timeoutSeconds * 1000,
        lookup: this.lookup,
        mayBePrivate: this.settings.allowPrivateAddresses,
        signal: this.stopping.signal,
      })
      const isTaken = statusCode >= 200 && statusCode < 300
      const isGone = statusCode === 410
      if (isTaken) return { id, attempt, statusCode, error: null, retryInSeconds: null, isGone }
      const error = `The receiver responded with ${statusCode}.`
      return { id, attempt, statusCode, error, retryInSeconds: isGone ? null : this.retryIn(delivery), isGone }
    } catch (cause) {
      if (this.stopping.signal.aborted) return undefined
      this.log.info({ err: cause, delivery: id, attempt }, 'webhook not reached')
      return {
        id,
        attempt,
        statusCode: null,
        error: wordsOf(cause),
        retryInSeconds: this.retryIn(delivery),
        isGone: false,
      }
    }
  }

  private retryIn({ failures }: ClaimedDelivery): number | null {
    const seconds = this.settings.retrySeconds[failures]
    return seconds === undefined ? null : seconds * (1 + jitter * Math.random())
  }
}

const endSpan = (span: OpenSpan | undefined, report: AttemptReport | undefined): void =>
  span?.end({
    ...((!report || report.error !== null) && {
      error: report?.statusCode ? String(report.statusCode) : 'not reached',
    }),
    ...(report?.statusCode && { attributes: { 'http.response.status_code': report.statusCode } }),
  })

const outcomeOf = ({ error, retryInSeconds }: AttemptReport) =>
  error === null ? 'delivered' : retryInSeconds === null ? 'failed' : 'retried'

/** Why there was no response, in words that hold nothing of the message. */
const wordsOf = (cause: unknown): string => {
  if (cause instanceof AddressRefusedError) return 'The address is not public; see WEBHOOK_ALLOW_PRIVATE_ADDRESSES.'
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'The receiver did not respond in time.'
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return `The receiver could not be reached${code}.`
}
