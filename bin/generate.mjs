/**
 * Writes the files that are made from the code: the OpenAPI document, the pages of the configuration and
 * of the metrics, .env.example, the schema of the Helm chart's values, and the notices of what is in the image.
 * With --check it writes nothing and fails if one of them differs. Run it on the compiled build: `npm run generate`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createApp } from '../dist/apps/api/src/create-app.js'
import { createOpenApiDocument } from '../dist/apps/api/src/openapi.js'
import { createDataSource } from '../dist/libs/database/src/index.js'
import { configurationPage, createLogger, environmentExample, loadConfig } from '../dist/libs/platform/src/index.js'
import { ApiMetrics } from '../dist/apps/api/src/health/api-metrics.js'
import { WorkerMetrics } from '../dist/apps/worker/src/health/worker-metrics.js'
import { format, resolveConfig } from 'prettier'
import { chartSchema } from './chart-schema.mjs'
import { metricsPage } from './metrics-page.mjs'
import { thirdPartyNotices } from './third-party-notices.mjs'

const pathOf = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

// Nothing is connected: the document is read from the routes alone.
const config = loadConfig({
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  MODELS_DIR: pathOf('models'),
  LOG_LEVEL: 'fatal',
})
const app = await createApp(config, createLogger('generate', 'fatal'), createDataSource(config))

const pretty = async (file, text) => format(text, { ...(await resolveConfig(pathOf(file))), filepath: pathOf(file) })
const files = {
  'apps/api/openapi.json': await pretty('apps/api/openapi.json', JSON.stringify(createOpenApiDocument(app))),
  'docs/configuration.md': await pretty('docs/configuration.md', configurationPage()),
  'docs/metrics.md': await pretty(
    'docs/metrics.md',
    metricsPage({ 'Of an api': app.get(ApiMetrics).registry, 'Of a worker': new WorkerMetrics().registry }),
  ),
  '.env.example': environmentExample(),
  'deploy/helm/memoryguard/values.schema.json': await pretty(
    'deploy/helm/memoryguard/values.schema.json',
    JSON.stringify(chartSchema()),
  ),
  'THIRD-PARTY-NOTICES.txt': thirdPartyNotices(),
}

const read = (file) => {
  try {
    return readFileSync(pathOf(file), 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return ''
    throw error
  }
}

const isCheck = process.argv.includes('--check')
const stale = Object.entries(files).filter(([file, text]) => read(file) !== text)
for (const [file, text] of stale) {
  if (isCheck) process.stderr.write(`${file} is not what the code makes: run "npm run generate" and commit it\n`)
  else writeFileSync(pathOf(file), text)
}
process.exit(isCheck && stale.length > 0 ? 1 : 0)
