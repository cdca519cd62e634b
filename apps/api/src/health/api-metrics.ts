import { createCounter, createProcessMetrics } from '#libs/health'
import { Injectable } from '@nestjs/common'
import { Histogram } from 'prom-client'

/** What refused a request for its number. */
export type RefusingLimit = 'key' | 'address'

/** Metrics of the API; the label is the route's pattern, never a path with an identifier. */
@Injectable()
export class ApiMetrics {
  readonly registry = createProcessMetrics()
  private readonly registers = [this.registry]
  private readonly seconds = new Histogram({
    name: 'memoryguard_http_request_seconds',
    help: 'Time from request to response',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 25],
    registers: this.registers,
  })
  private readonly failedSignIns = createCounter(this.registry, {
    name: 'memoryguard_failed_sign_ins_total',
    help: 'Requests with a wrong key, and those that were not looked up because their address had sent too many',
    label: 'reason',
    values: ['invalid', 'limited'],
  })
  private readonly refusals = createCounter(this.registry, {
    name: 'memoryguard_rate_limit_refusals_total',
    help: 'Requests that were refused (429), by limit: of a key or of an address',
    label: 'limit',
    values: ['key', 'address'],
  })
  private readonly enqueueSeconds = new Histogram({
    name: 'memoryguard_enqueue_seconds',
    help: 'Time of one call to the broker that enqueues stored tasks',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: this.registers,
  })

  observe(method: string, route: string, status: number, seconds: number): void {
    this.seconds.observe({ method, route, status: String(status) }, seconds)
  }

  countFailedSignIn(reason: 'invalid' | 'limited'): void {
    this.failedSignIns.inc({ reason })
  }

  countRefusal(limit: RefusingLimit): void {
    this.refusals.inc({ limit })
  }

  observeEnqueue(seconds: number): void {
    this.enqueueSeconds.observe(seconds)
  }
}
