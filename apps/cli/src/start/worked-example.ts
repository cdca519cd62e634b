import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { CommandError } from '../command-error.js'
import type { RestClient } from '../client/rest-client.js'
import { styled } from '../output.js'

/** The request that the first start shows: an invented person. */
export const exampleRequest = { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }

const predictionSchema = z.object({
  id: z.number(),
  state: z.string(),
  risk_score: z.number().nullish(),
  risk_category: z.string().nullish(),
  confidence_interval: z.object({ lower: z.number(), upper: z.number(), level: z.number() }).nullish(),
  model: z.object({ name: z.string(), version: z.string() }).nullish(),
})

/** What the API says of a prediction, as far as the summary shows it. */
export type ExamplePrediction = z.infer<typeof predictionSchema>

const waitSeconds = 20
const unfinished = new Set(['scheduled', 'queued', 'running', 'retrying'])

/**
 * Sends the worked example through the API, and returns its finished prediction.
 *
 * @throws {CommandError} if it is refused, or not finished after a minute.
 */
export const submitExample = async (client: RestClient, signal: AbortSignal): Promise<ExamplePrediction> => {
  const deadline = Date.now() + 60_000
  const response = await client.send({
    method: 'POST',
    path: '/v1/predictions',
    body: exampleRequest,
    headers: { prefer: `wait=${waitSeconds}` },
    signal,
  })
  let prediction = predictionSchema.parse(response.body)
  while (unfinished.has(prediction.state)) {
    if (Date.now() > deadline) throw new CommandError(`Prediction ${prediction.id} is still ${prediction.state}.`)
    // The pause ends with the signal; every fetch that knew it would leave a listener behind.
    await wait(250, undefined, { signal })
    prediction = predictionSchema.parse((await client.send({ path: `/v1/predictions/${prediction.id}` })).body)
  }
  return prediction
}

/** Whether the database behind the API holds no prediction and no other task yet. */
export const hasNothingStored = async (client: RestClient, signal: AbortSignal): Promise<boolean> => {
  for (const path of ['/v1/predictions?limit=1', '/v1/tasks?limit=1', '/v1/batches?limit=1']) {
    const { body } = await client.send({ path, signal })
    if (z.object({ items: z.array(z.unknown()) }).parse(body).items.length > 0) return false
  }
  return true
}

/** What a summary contains besides the prediction. */
export interface StartFacts {
  readonly url: string
  readonly adminKey: string
  /** Where the key comes from, for the reader. */
  readonly adminKeySource: string
  readonly logFolder: string
  /** Signs in a browser once; absent where no console is served. */
  readonly consoleLink: string | undefined
  readonly seconds: number
}

/** The lines shown when everything runs: its address, the key, and a request to copy. */
export const summaryOf = (prediction: ExamplePrediction | undefined, facts: StartFacts): string[] => {
  const { url, adminKey } = facts
  return [
    '',
    `${styled('bold', 'MemoryGuard is ready')} after ${facts.seconds.toFixed(1)} s`,
    '',
    ...(prediction ? resultLines(prediction) : []),
    ...(facts.consoleLink === undefined
      ? []
      : [row('Console', `${facts.consoleLink}  ${styled('dim', '(once, for 10 minutes)')}`)]),
    row('API', url),
    row('Swagger UI', `${url}/docs`),
    row('Admin key', `${adminKey}  ${styled('dim', `(${facts.adminKeySource})`)}`),
    row('Logs', facts.logFolder),
    '',
    '  Try it:',
    `  curl -s ${url}/v1/predictions -H 'Authorization: Bearer ${adminKey}' -H 'Content-Type: application/json' -H 'Prefer: wait=${waitSeconds}' -d '${JSON.stringify(exampleRequest)}'`,
    '',
    styled('dim', '  Ctrl-C stops everything; the data stays.'),
  ]
}

const resultLines = (prediction: ExamplePrediction): string[] => {
  const { user_id: user, health_metrics: metrics } = exampleRequest
  const { risk_score: risk, risk_category: category, confidence_interval: interval, model } = prediction
  const question = `user ${user}: ${Object.entries(metrics)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')}`
  if (risk === null || risk === undefined) return [row('Example', `${question}: ${prediction.state}`), '']
  const range = interval
    ? `, ${percent(interval.level)} interval ${percent(interval.lower)} to ${percent(interval.upper)}`
    : ''
  return [
    row('Example', `${question} (prediction ${prediction.id})`),
    row('Risk', `${styled('bold', percent(risk))}${category ? ` ${category.replaceAll('_', ' ')}` : ''}${range}`),
    ...(model ? [row('Model', `${model.name}@${model.version}`)] : []),
    row('', styled('italic', 'Decision support, not diagnosis.')),
    '',
  ]
}

const row = (label: string, text: string) => `  ${styled('cyan', label.padEnd(11))} ${text}`

const percent = (share: number) => `${Math.round(share * 100)} %`
