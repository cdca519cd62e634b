/**
 * pg-boss without anything around it: a job for each person, whose result is the job's output.
 * `node pg-boss.js FOLDER DATABASE_URL [JOBS]`; the folder has the package installed.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { loadModel, personOf } from './model.js'
import { runRole } from './role.js'

interface Person {
  readonly health_metrics: Readonly<Record<string, number>>
}

/** What the bench uses of the package, which is not among ours. */
interface Boss {
  start(): Promise<unknown>
  stop(): Promise<unknown>
  createQueue(name: string): Promise<unknown>
  send(name: string, data: Person): Promise<unknown>
  fetch(name: string, options: { readonly batchSize: number }): Promise<readonly { id: string; data: Person }[]>
  complete(name: string, ids: readonly string[], output: object): Promise<unknown>
}

const [folder = '', url = '', jobs] = process.argv.slice(2)
const PgBoss = createRequire(join(folder, 'package.json'))('pg-boss') as new (url: string) => Boss
const name = 'predictions'
const batchSize = 64
/** Fetches under way at once. */
const lanes = 2

const boss = new PgBoss(url)
await boss.start()
await boss.createQueue(name)

await runRole(
  {
    produce: async () => ({
      add: (index) => boss.send(name, { health_metrics: personOf(index) }),
      close: () => boss.stop(),
    }),
    work: async (onCompleted) => {
      const predict = await loadModel()
      // Its own loop asks every half second at most, so that its rate would be that of the pauses.
      const lane = async (): Promise<never> => {
        for (;;) {
          const batch = await boss.fetch(name, { batchSize })
          const risks = await Promise.all(batch.map(({ data }) => predict(data.health_metrics)))
          const ids = batch.map(({ id }) => id)
          if (batch.length > 0) await boss.complete(name, ids, { risks })
          else await pause(1)
          onCompleted(batch.length)
        }
      }
      for (let index = 0; index < lanes; index += 1) void lane()
    },
  },
  jobs,
)
