import { cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const shipped = fileURLToPath(new URL('../../models/impairment-screen', import.meta.url))
const fixtures = fileURLToPath(new URL('../fixtures/runtime', import.meta.url))

/** A folder with the default model and those of the tests; the caller removes it. */
export const makeModelsFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-models-'))
  cpSync(shipped, join(folder, 'impairment-screen'), { recursive: true })
  cpSync(fixtures, folder, { recursive: true })
  return folder
}
