import { isDatabaseUnavailable } from '#libs/database'
import { withinTime } from '#libs/platform'
import { Broker, BrokerNotes } from '#libs/tasks'
import { HttpException, Injectable } from '@nestjs/common'
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus'

/** Longest time that one check may take, in milliseconds: shorter than what probes wait. */
const checkMs = 3_000

/** One check of readiness: resolves to what is wrong, or to nothing. It counts as failed after some seconds. */
export type ReadinessCheck = () => Promise<string | undefined>

/** The response to a readiness probe of api or worker. */
export interface ReadinessReport {
  readonly isReady: boolean
  /** What is wrong, by check. */
  readonly faults: Readonly<Record<string, string>>
  /** Terminus's result (`status`, `info`, `error`, `details` by check), with `broker` and `notes`. */
  readonly body: object
}

export interface ReadinessOptions {
  /** Whether the process cannot work without the broker. */
  readonly needsBroker?: boolean
  /** Notes of the process's own, beside those about the broker. */
  readonly notes?: readonly string[] | undefined
}

/** Responds to readiness probes, for the api and the worker in the same form. */
@Injectable()
export class Readiness {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly broker: Broker,
    private readonly notes: BrokerNotes,
  ) {}

  /**
   * Runs the checks. The broker is tried, too: its state is reported, and counts as a check named `broker` if the process
   * cannot work without it.
   */
  async report(
    checks: Readonly<Record<string, ReadinessCheck>>,
    { needsBroker = false, notes = [] }: ReadinessOptions = {},
  ): Promise<ReadinessReport> {
    const [brokerFault, ...results] = await Promise.all([
      faultOf(() => this.broker.assertWritable().then(() => undefined)),
      ...Object.entries(checks).map(async ([name, check]) => [name, await faultOf(check)] as const),
    ])
    const all = needsBroker ? [...results, ['broker', brokerFault] as const] : results
    const faults = Object.fromEntries(all.flatMap(([name, fault]) => (fault === undefined ? [] : [[name, fault]])))
    const result = await this.resultOf(all)
    return {
      isReady: Object.keys(faults).length === 0,
      faults,
      body: { ...result, broker: brokerFault === undefined ? 'up' : 'down', notes: [...this.notes.current, ...notes] },
    }
  }

  /** Terminus's result. It throws it if a check has failed. */
  private async resultOf(all: readonly (readonly [name: string, fault: string | undefined])[]): Promise<object> {
    const indicators = all.map(([name, fault]) => () => {
      const indicator = this.indicators.check(name)
      return fault === undefined ? indicator.up() : indicator.down({ message: fault })
    })
    try {
      return await this.health.check(indicators)
    } catch (error) {
      const result = error instanceof HttpException ? error.getResponse() : undefined
      return typeof result === 'object' ? result : { status: 'error' }
    }
  }
}

/** Returns what is wrong by a check, or why it failed. */
const faultOf = async (check: ReadinessCheck): Promise<string | undefined> => {
  try {
    return await withinTime(check(), checkMs, `no response within ${checkMs / 1000} s`)
  } catch (error) {
    if (isDatabaseUnavailable(error)) return 'unreachable'
    return error instanceof Error ? error.message : String(error)
  }
}
