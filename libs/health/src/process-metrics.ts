import { productVersion } from '#libs/platform'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

/** Totals that Node reports and that may fall, against the rules for names. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
] as const

/** A registry with the metrics of the process itself, and the version that runs. */
export const createProcessMetrics = (): Registry => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of misnamed) registry.removeSingleMetric(name)
  const build = new Gauge({
    name: 'memoryguard_build_info',
    help: 'Always 1; the label is the version of MemoryGuard',
    labelNames: ['version'] as const,
    registers: [registry],
  })
  build.set({ version: productVersion }, 1)
  return registry
}

/**
 * A counter with a label of known values. Each has a sample from the start: Prometheus takes the first sample of a series
 * for no increase, so that an alert would miss the first event.
 */
export const createCounter = <Label extends string>(
  registry: Registry,
  { name, help, label, values }: { name: string; help: string; label: Label; values: readonly string[] },
): Counter<Label> => {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] })
  for (const value of values) counter.inc({ [label]: value } as Record<Label, string>, 0)
  return counter
}

/** Values by labels. */
export type Samples = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]

/** Registers a metric whose samples are read when the metrics are. */
export const addReadMetric = (
  registry: Registry,
  kind: 'gauge' | 'counter',
  description: { readonly name: string; readonly help: string; readonly labelNames?: readonly string[] },
  read: () => Samples | Promise<Samples>,
): void => {
  const settings = { ...description, registers: [], collect: () => collect() }
  const metric = kind === 'gauge' ? new Gauge(settings) : new Counter(settings)
  const collect = async (): Promise<void> => {
    const samples = await read()
    metric.reset()
    for (const [labels, value] of samples) metric.inc(labels, value)
  }
  registry.registerMetric(metric)
}
