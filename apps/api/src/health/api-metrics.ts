import { Injectable } from '@nestjs/common'
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client'

/** Metrics of the API; the label is the route's pattern, never a path with an identifier. */
@Injectable()
export class ApiMetrics {
  readonly registry = new Registry()
  private readonly seconds = new Histogram({
    name: 'memoryguard_http_request_seconds',
    help: 'Time from request to answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 25],
    registers: [this.registry],
  })

  private readonly failedSignIns = new Counter({
    name: 'memoryguard_failed_sign_ins_total',
    help: 'Requests with a wrong key, and those that were not looked up because their address had sent too many',
    labelNames: ['reason'] as const,
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  observe(method: string, route: string, status: number, seconds: number): void {
    this.seconds.observe({ method, route, status: String(status) }, seconds)
  }

  countFailedSignIn(reason: 'invalid' | 'limited'): void {
    this.failedSignIns.inc({ reason })
  }
}
