import type { Schemas } from '../../api/client.ts'
import type { TimeSeries } from '../../charts/time-chart.tsx'
import { formatPercent, plural } from '../../format/numbers.ts'
import { formatDuration } from '../../format/times.ts'
import { plainWords } from '../../format/words.ts'

export type Point = Schemas['StatisticsSeries']['series'][number]['points'][number]

/** Percentiles of fewer tasks than this are drawn faintly. */
const fewSamples = 20

const outcomes = [
  ['succeeded', 'var(--mg-series-1)'],
  ['failed', 'var(--mg-bad)'],
  ['timed_out', 'var(--mg-series-2)'],
  ['cancelled', 'var(--mg-series-6)'],
  ['expired', 'var(--mg-series-3)'],
] as const

const sum = (values: readonly (number | null | undefined)[]): number =>
  values.reduce<number>((all, value) => all + (value ?? 0), 0)

/** Percentiles of how long tasks waited or ran. */
export const percentiles = (points: readonly Point[], of: 'wait' | 'run'): TimeSeries[] =>
  (['p50', 'p95', 'p99'] as const).map((name) => ({
    name,
    values: points.map((point) => point[of]?.[`${name}_seconds`] ?? null),
    isFaint: points.map((point) => (point[of]?.samples ?? 0) < fewSamples),
  }))

/** Ended tasks by how they ended; outcomes that did not occur are left out. */
export const outcomeSeries = (points: readonly Point[]): TimeSeries[] =>
  outcomes
    .map(([outcome, color]) => ({
      name: plainWords(outcome),
      color,
      values: points.map(({ outcomes: counts }) => counts && (counts[outcome] ?? 0)),
    }))
    .filter(({ name, values }) => name === 'succeeded' || values.some((value) => (value ?? 0) > 0))

/** How many tasks ended, and how many of them well, in a sentence. */
export const outcomeSummary = (points: readonly Point[], stepSeconds: number): string => {
  const ended = sum(points.map(({ tasks }) => tasks))
  if (ended === 0) return 'No task ended in this time.'
  const succeeded = sum(points.map(({ outcomes: counts }) => counts?.['succeeded']))
  const retries = sum(points.map(({ retries: count }) => count))
  return `${plural(ended, 'task')} in points of ${formatDuration(stepSeconds)}; ${formatPercent(succeeded / ended)} succeeded; ${plural(retries, 'further attempt')}.`
}

/** From how many tasks the percentiles are, in a sentence. */
export const samplesOf = (points: readonly Point[], of: 'wait' | 'run'): string => {
  const samples = sum(points.map((point) => point[of]?.samples))
  return samples === 0
    ? 'No task ended in this time.'
    : `From ${plural(samples, 'task')}; faint where fewer than ${fewSamples} ended in a point.`
}
