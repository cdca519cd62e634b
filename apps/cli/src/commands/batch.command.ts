import { accessSync, constants, createReadStream, createWriteStream, statSync } from 'node:fs'
import { extname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import type { RestClient } from '../client/rest-client.js'
import { CommandError } from '../command-error.js'
import { print, printJson, warn } from '../output.js'
import { Progress } from '../progress.js'
import { callsApi } from './api-command.js'

interface BatchFlags {
  readonly out?: string
  readonly model?: string
  readonly missingValues?: string
  readonly json?: true
}

/** A batch as the API shows it. */
interface Batch {
  readonly id: string
  readonly state: string
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  readonly percent: number
  readonly eta_seconds: number | null
  readonly errors: readonly { readonly line: number; readonly message: string }[]
  readonly completed_at: string | null
}

const pollMs = 300
/** Maximum number of errors in the summary; the results contain all of them. */
const shownErrors = 10

/** `memoryguard batch FILE`: computes a file of people and fetches the results; exit code 1 if rows failed. */
export const batchCommand = (): Command =>
  callsApi(
    new Command('batch')
      .description('compute predictions for a CSV or NDJSON file of people')
      .argument('<file>', 'CSV with a header of user_id and metrics, or NDJSON (.ndjson, .jsonl); packed (.gz) or not')
      .option('-o, --out <file>', 'write the results here, as CSV or by its name as NDJSON')
      .option('-m, --model <model>', 'model, as name or name@version')
      .option('--missing-values <list>', 'what stands for a missing value: usual, empty, or a list such as "NA,-9"'),
    async (client, [file]: [string], flags: BatchFlags) => {
      const progress = new Progress(process.stderr)
      let batch: Batch
      try {
        batch = await finish(client, await upload(client, file, flags, progress), progress)
      } finally {
        progress.end()
      }
      if (flags.out !== undefined) await download(client, batch.id, flags.out)
      if (batch.failed + batch.cancelled > 0) process.exitCode = 1
      if (flags.json) printJson(batch)
      else summarize(batch, flags.out)
    },
  )

const upload = async (client: RestClient, file: string, flags: BatchFlags, progress: Progress): Promise<Batch> => {
  const size = sizeOf(file)
  let sent = 0
  async function* pieces() {
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
      sent += piece.length
      progress.show('Uploading', (100 * sent) / size, null)
      yield piece
    }
  }
  const { model, missingValues } = flags
  const query = new URLSearchParams({
    ...(model !== undefined && { model }),
    ...(missingValues !== undefined && { missing_values: missingValues }),
  }).toString()
  const response = await client.open(`/v1/batches${query === '' ? '' : `?${query}`}`, {
    method: 'POST',
    headers: { 'content-type': isNdjson(file) ? 'application/x-ndjson' : 'text/csv' },
    body: Readable.from(pieces()),
    duplex: 'half',
  })
  return (await response.json()) as Batch
}

const finish = async (client: RestClient, accepted: Batch, progress: Progress): Promise<Batch> => {
  let batch = accepted
  while (batch.completed_at === null) {
    progress.show('Computing', batch.percent, batch.eta_seconds)
    await pause(pollMs)
    batch = (await client.send({ path: `/v1/batches/${batch.id}` })).body as Batch
  }
  progress.show('Computing', 100, 0)
  return batch
}

const download = async (client: RestClient, id: string, out: string): Promise<void> => {
  const { body } = await client.open(`/v1/batches/${id}/results?format=${isNdjson(out) ? 'ndjson' : 'csv'}`, {
    headers: { accept: '*/*' },
  })
  if (!body) throw new CommandError('The API responded without results.')
  await pipeline(Readable.from(body), createWriteStream(out))
}

const summarize = (
  { id, state, total, succeeded, failed, cancelled, errors }: Batch,
  out: string | undefined,
): void => {
  print(`Batch ${id}: ${state}. ${total} rows: ${succeeded} succeeded, ${failed} failed, ${cancelled} cancelled.`)
  for (const { line, message } of errors.slice(0, shownErrors)) warn(`  line ${line}: ${message}`)
  if (failed > shownErrors) warn(`  ... and ${failed - shownErrors} more; the results hold the reason of each.`)
  print(out === undefined ? `Results: /v1/batches/${id}/results, or use --out.` : `Results: ${out}`)
  print('Decision support, not diagnosis.')
}

const sizeOf = (file: string): number => {
  try {
    const facts = statSync(file)
    if (facts.isDirectory()) throw new CommandError(`${file} is a folder. Name a CSV or NDJSON file.`)
    accessSync(file, constants.R_OK)
    return facts.size
  } catch (cause) {
    if (cause instanceof CommandError) throw cause
    throw new CommandError(`The file ${file} cannot be read.`, { cause })
  }
}

const isNdjson = (file: string): boolean =>
  ['.ndjson', '.jsonl'].includes(extname(file.toLowerCase().replace(/\.gz$/, '')))
