/** BullMQ without anything around it: a job for each person, whose result is the job's. `node bullmq.js REDIS_URL CONCURRENCY [JOBS]` */
import { Queue, Worker } from 'bullmq'
import { loadModel, personOf } from './model.js'
import { runRole } from './role.js'

const [url = '', concurrency = '', jobs] = process.argv.slice(2)
const connection = { url, maxRetriesPerRequest: null }
const name = 'predictions'

await runRole(
  {
    produce: async () => {
      const queue = new Queue(name, { connection })
      await queue.waitUntilReady()
      return {
        add: (index) =>
          queue.add('predict', { user_id: index + 1, health_metrics: personOf(index) }, { removeOnComplete: 1_000 }),
        close: () => queue.close(),
      }
    },
    work: async (onCompleted) => {
      const predict = await loadModel()
      const worker = new Worker<{ readonly health_metrics: Readonly<Record<string, number>> }>(
        name,
        async ({ data }) => ({ risk_score: await predict(data.health_metrics) }),
        { connection, concurrency: Number(concurrency) },
      )
      worker.on('completed', () => onCompleted(1))
      await worker.waitUntilReady()
    },
  },
  jobs,
)
