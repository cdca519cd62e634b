/**
 * Checks apps/api/openapi.json as its users do: the rules of Redocly and of Spectral, and types by openapi-typescript.
 * Needs no network. Part of `npm run check`.
 */
import { readFileSync } from 'node:fs'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectralCore from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import openapiTypescript from 'openapi-typescript'

/** How Spectral numbers its severities. */
const severities = ['error', 'warning', 'information', 'hint']

const path = 'apps/api/openapi.json'
const source = readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const lintAsRedocly = async () => {
  const config = await createConfig({ extends: ['recommended'], telemetry: 'off' })
  const problems = await lintFromString({ source, absoluteRef: path, config })
  return problems
    .filter(({ severity }) => severity === 'error')
    .map(({ ruleId, message, location: [where] }) => `${ruleId} ${where?.pointer ?? ''} ${message}`)
}

const lintAsSpectral = async () => {
  const spectral = new spectralCore.Spectral()
  spectral.setRuleset({ extends: [[oas, 'recommended']] })
  const results = await spectral.run(JSON.parse(source))
  return results
    .filter(({ severity }) => severities[severity] === 'error')
    .map(({ code, message, path: where }) => `${code} ${where.join('.')} ${message}`)
}

const generateTypes = async () => {
  try {
    await openapiTypescript(JSON.parse(source))
    return []
  } catch (error) {
    return [`openapi-typescript ${error.message}`]
  }
}

const faults = (await Promise.all([lintAsRedocly(), lintAsSpectral(), generateTypes()])).flat()
for (const fault of faults) process.stderr.write(`${path}: ${fault}\n`)
process.exit(faults.length > 0 ? 1 : 0)
