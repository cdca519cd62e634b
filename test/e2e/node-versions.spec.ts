import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uploadCsv } from '../support/csv-batches.js'
import { hasRedis } from '../support/redis-server.js'
import { example, waiting } from '../support/requests.js'
import { startStack, type BrokerKind, type HttpResponse } from '../support/stack.js'
import { waitFor } from '../support/wait-for.js'

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

/** Versions of Node beside that of this run; `.ci/run` installs them. */
const versions = ['20.19', '22', '24'].map((version) => ({
  version,
  node: pathOf(`node_modules/.cache/node-versions/node_modules/node-${version}/bin/node`),
}))
const brokers: readonly BrokerKind[] = hasRedis() ? ['postgres', 'redis'] : ['postgres']
const isInstalled = versions.every(({ node }) => spawnSync(node, ['--version']).status === 0)

const succeeded = ({ status, body, text }: HttpResponse): HttpResponse['body'] => {
  expect([status, body['state']], text).toEqual([200, 'succeeded'])
  return body
}

describe.runIf(isInstalled)('the files of the image, on each version of Node', () => {
  let root: string
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-image-'))
    await promisify(execFile)(process.execPath, [pathOf('bin/image.mjs'), root])
  })
  afterAll(() => rmSync(root, { recursive: true }))

  it.each(versions)(
    'predict, explain, forecast, take a batch and a schedule on Node $version',
    async ({ version, node }) => {
      expect(spawnSync(node, ['--version']).stdout.toString()).toMatch(`v${version}.`)
      const options = { root, isThisBuild: true, logs: 'keep', env: { WORKER_CONCURRENCY: '1' } } as const
      await Promise.all(
        brokers.map(async (broker) => {
          const stack = await startStack({ ...options, broker, node })
          try {
            const { id } = succeeded(await stack.post('/v1/predictions', example, waiting))
            succeeded(await stack.request('POST', `/v1/predictions/${String(id)}/explanation`, undefined, waiting))
            succeeded(await stack.post('/v1/users/1/forecasts', {}, waiting))
            succeeded(await uploadCsv(stack, 'user_id,mmse_score,age\n1,24,72\n2,28,66\n', waiting))
            const schedule = await stack.post('/v1/schedules', {
              name: 'often',
              task: 'ml.health_check',
              interval_seconds: 1,
            })
            expect(schedule.status, schedule.text).toBe(201)
            await waitFor(
              async () => (await stack.get('/v1/tasks?state=succeeded&name=ml.health_check')).text.includes('"id"'),
              {
                what: 'a run of the schedule',
              },
            )
            expect((await stack.get('/')).text).toContain('<title>')
            expect((await stack.get('/docs/swagger-ui-bundle.js')).status).toBe(200)
            // Such as warnings of what this version of Node deprecates.
            expect(stack.readLogs()).not.toMatch(/Warning|"level"/)
          } finally {
            await stack.stop()
          }
        }),
      )
    },
  )
})
