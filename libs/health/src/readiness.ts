import { isDatabaseUnavailable } from '#libs/database'
import { lateAnswer, readinessCheckMs, withinTime } from '#libs/platform'
import { Broker, BrokerNotes } from '#libs/tasks'
import { HttpException, Injectable } from '@nestjs/common'
import { HealthCheckService, HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus'

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

/** Answers readiness probes, for the api and the worker in the same form. */
@Injectable()
export class Readiness {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly broker: Broker,
    private readonly notes: BrokerNotes,
  ) {}

  /** Runs the checks. The state of the broker is reported, too; it counts only where a check asks for it. */
  async report(checks: Readonly<Record<string, ReadinessCheck>>): Promise<ReadinessReport> {
    const faults: Record<string, string> = {}
    const indicators = Object.entries(checks).map(
      ([name, check]) =>
        () =>
          this.run(name, check, faults),
    )
    const [{ isReady, result }, fault] = await Promise.all([this.runAll(indicators), faultOf(this.findBrokerFault)])
    return {
      isReady,
      faults,
      body: { ...result, broker: fault === undefined ? 'up' : 'down', notes: this.notes.current },
    }
  }

  /** A check that the broker takes jobs. */
  readonly findBrokerFault: ReadinessCheck = async () => {
    await this.broker.assertWritable()
    return undefined
  }

  private async run(
    name: string,
    check: ReadinessCheck,
    faults: Record<string, string>,
  ): Promise<HealthIndicatorResult> {
    const fault = await faultOf(check)
    if (fault !== undefined) faults[name] = fault
    const indicator = this.indicators.check(name)
    return fault === undefined ? indicator.up() : indicator.down({ message: fault })
  }

  /** Terminus throws its result if a check of it has failed. */
  private async runAll(indicators: readonly (() => Promise<HealthIndicatorResult>)[]) {
    try {
      return { isReady: true, result: await this.health.check([...indicators]) }
    } catch (error) {
      const result = error instanceof HttpException ? error.getResponse() : undefined
      return { isReady: false, result: typeof result === 'object' ? result : { status: 'error' } }
    }
  }
}

/** Returns what is wrong by a check, or why it failed. */
const faultOf = async (check: ReadinessCheck): Promise<string | undefined> => {
  try {
    return await withinTime(check(), readinessCheckMs, lateAnswer)
  } catch (error) {
    if (isDatabaseUnavailable(error)) return 'unreachable'
    return error instanceof Error ? error.message : String(error)
  }
}
