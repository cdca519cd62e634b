import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createForecaster } from '../libs/ml/src/forecast/index.js'

// node dist/bench/forecast.js [models folder]: forecasts a second on one thread, 5 visits x 3 horizons.
const models = process.argv[2] ?? 'models'
const forecaster = createForecaster(
  JSON.parse(readFileSync(resolve(models, 'mmse-forecast/1/parameters.json'), 'utf8')),
)
const from = new Date('2026-03-01')
const people = Array.from({ length: 1000 }, (_, person) => ({
  from,
  covariates: { age: 65 + (person % 30), sex: person % 2, education: (person >> 1) % 2 },
  horizonsMonths: [6, 12, 24],
  history: Array.from({ length: 5 }, (_visit, index) => ({
    at: new Date(from.getTime() - (9 - 2 * index) * 365.25 * 86_400_000),
    value: Math.max(0, 30 - ((person + index * (person % 4)) % 14)),
  })),
}))

const measure = (cases: readonly Parameters<typeof forecaster.forecast>[0][], seconds: number) => {
  const start = performance.now()
  let count = 0
  while (performance.now() - start < seconds * 1000) {
    for (const request of cases) forecaster.forecast(request)
    count += cases.length
  }
  return Math.round(count / ((performance.now() - start) / 1000))
}

measure(people, 0.5)
const withheld = people.map((request) => ({ ...request, covariates: {} }))
process.stdout.write(
  `${JSON.stringify({
    bench: 'forecast',
    visits: 5,
    horizons: 3,
    forecasts_per_second: measure(people, 2),
    forecasts_per_second_without_covariates: measure(withheld, 2),
  })}\n`,
)
