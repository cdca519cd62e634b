import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryGuardError, type Config } from '#libs/platform'

/** Names of the folders in one; none if it cannot be read. */
const foldersIn = (path: string): readonly string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() || entry.isSymbolicLink() ? [entry.name] : [],
      )
    : []

/**
 * Rejects a start whose chosen default model is absent: every prediction would fail.
 * @throws {MemoryGuardError} CONFIG_INVALID
 */
export const assertDefaultModel = ({ models: { folder, default: chosen, isDefaultChosen } }: Config): void => {
  const [name = '', version] = chosen.split('@')
  const versions = foldersIn(folder).includes(name) ? foldersIn(join(folder, name)) : []
  const found = versions.filter((candidate) => existsSync(join(folder, name, candidate, 'manifest.json')))
  if (!isDefaultChosen || (version === undefined ? found.length > 0 : found.includes(version))) return
  const offered = foldersIn(folder).join(', ')
  throw new MemoryGuardError(
    'CONFIG_INVALID',
    `DEFAULT_MODEL: there is no such model in MODELS_DIR (${folder}), which holds ${offered || 'none'}.`,
    { faults: [{ pointer: 'DEFAULT_MODEL', message: `must be one of ${offered || 'the models in MODELS_DIR'}` }] },
  )
}
