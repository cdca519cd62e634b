import { cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Benches run it from `dist`. */
const repository = fileURLToPath(import.meta.url).replace(/(\/dist)?\/test\/support\/models-folder\.[jt]s$/, '')
const shipped = `${repository}/models/impairment-screen`
const fixtures = `${repository}/test/fixtures/runtime`
const samples = `${repository}/test/fixtures/models`

/** A folder with the default model, those of the tests, and the samples of other libraries if asked for; the caller removes it. */
export const makeModelsFolder = ({ withSamples = false } = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-models-'))
  cpSync(shipped, join(folder, 'impairment-screen'), { recursive: true })
  cpSync(fixtures, folder, { recursive: true })
  if (withSamples) cpSync(samples, folder, { recursive: true })
  return folder
}

/** Adds the shipped forecast model to a folder. */
export const addForecastModel = (folder: string): void =>
  cpSync(`${repository}/models/mmse-forecast`, join(folder, 'mmse-forecast'), { recursive: true })
