import { cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const shipped = fileURLToPath(new URL('../../models/impairment-screen', import.meta.url))
const fixtures = fileURLToPath(new URL('../fixtures/runtime', import.meta.url))
const samples = fileURLToPath(new URL('../fixtures/models', import.meta.url))

/** A folder with the default model, those of the tests, and the samples of other libraries if asked for; the caller removes it. */
export const makeModelsFolder = ({ withSamples = false } = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-models-'))
  cpSync(shipped, join(folder, 'impairment-screen'), { recursive: true })
  cpSync(fixtures, folder, { recursive: true })
  if (withSamples) cpSync(samples, folder, { recursive: true })
  return folder
}
