import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { addForecastModel } from '../support/models-folder.js'
import { waiting } from '../support/requests.js'
import { useStack } from '../support/use-stack.js'

/** Adds a forecast model whose noise is not that of its golden file. */
const addWrongForecasts = (folder: string): void => {
  addForecastModel(folder)
  const model = join(folder, 'mmse-forecast', '1')
  const parameters = JSON.parse(readFileSync(join(model, 'parameters.json'), 'utf8')) as { noise_sd: number }
  const text = JSON.stringify({ ...parameters, noise_sd: parameters.noise_sd * 2 })
  const manifest = JSON.parse(readFileSync(join(model, 'manifest.json'), 'utf8')) as { files: Record<string, string> }
  manifest.files['parameters.json'] = createHash('sha256').update(text).digest('hex')
  writeFileSync(join(model, 'parameters.json'), text)
  writeFileSync(join(model, 'manifest.json'), JSON.stringify(manifest))
}

describe('a forecast model that does not respond as its golden file says', () => {
  const stack = useStack({ broker: 'postgres', testModels: addWrongForecasts, env: { TASK_MAX_RETRIES: '0' } })

  it('never forecasts and says why, while predictions go on', async () => {
    const { status, body } = await stack.request('POST', '/v1/users/7/forecasts', {}, waiting)
    expect([status, body['state']]).toEqual([200, 'failed'])
    expect(body['error']).toEqual({
      code: 'MODEL_NOT_READY',
      message: expect.stringMatching(/mmse-forecast@1 .*golden\.json: .*expected/s),
    })
    const metrics = { user_id: 7, health_metrics: { mmse_score: 24, age: 72 } }
    const prediction = await stack.request('POST', '/v1/predictions', metrics, waiting)
    expect([prediction.status, prediction.body['state']]).toEqual([200, 'succeeded'])
  })
})
