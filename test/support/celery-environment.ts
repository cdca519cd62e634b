import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Benches run it from `dist`. */
const repository = fileURLToPath(import.meta.url).replace(/(\/dist)?\/test\/support\/celery-environment\.[jt]s$/, '')

/** Folder of the application of the Celery clients, and of their cases. */
export const celeryFolder = `${repository}/test/celery`
const cache = `${repository}/node_modules/.cache/celery`

export const celeryVersions = ['5.7', '5.2'] as const
export type CeleryVersion = (typeof celeryVersions)[number]

/** Path of the Python that has a version of Celery. */
export type CeleryPythons = Readonly<Record<CeleryVersion, string>>

const run = promisify(execFile)

/**
 * The virtual environments of the Celery clients, which are made on first use and kept in `node_modules/.cache`.
 * Undefined where they cannot be made, with a line on stderr that says why.
 * @throws {Error} in CI if they cannot be made.
 */
export const prepareCelery = async (): Promise<CeleryPythons | undefined> => {
  try {
    const newest = preparePython('5.7', [requirementsOf('5.7')])
    const oldest = preparePython('5.2', [requirementsOf('5.2')])
    // A failure of one does not leave the other half done.
    await Promise.allSettled([newest, oldest])
    return { '5.7': await newest, '5.2': await oldest }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (process.env['CI']) throw error
    process.stderr.write(`Tests with Celery clients are left out: ${reason}\n`)
    return undefined
  }
}

/** What is installed for a version of Celery. */
export const requirementsOf = (version: CeleryVersion): string => `${celeryFolder}/requirements-${version}.txt`

/** Path of a Python that has what some files of requirements name, in an environment that is kept. */
export const preparePython = async (name: string, files: readonly string[]): Promise<string> => {
  const contents = files.map((file) => readFileSync(file, 'utf8'))
  const digest = createHash('sha256')
    .update([...contents, pythonVersion()].join('\n'))
    .digest('hex')
    .slice(0, 16)
  const folder = join(cache, `${name}-${digest}`)
  const python = join(folder, 'bin/python')
  if (existsSync(python)) return python
  mkdirSync(cache, { recursive: true })
  const made = `${folder}.${process.pid}`
  rmSync(made, { recursive: true, force: true })
  try {
    await run('python3', ['-m', 'venv', made])
    const options = ['--quiet', '--retries=2', '--disable-pip-version-check', '--no-input']
    const requirements = files.flatMap((file) => ['-r', file])
    await run(join(made, 'bin/python'), ['-m', 'pip', 'install', ...options, ...requirements])
    // Under its name there is only what is whole; another process may have been faster.
    if (!existsSync(folder)) renameSync(made, folder)
  } catch (error) {
    if (!existsSync(python))
      throw new Error(`Celery (${name}) cannot be installed: ${lastLine(error)}`, { cause: error })
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
  return python
}

const pythonVersion = (): string => {
  const found = spawnSync('python3', ['-c', 'import ensurepip, sys, venv; print(sys.executable, sys.version)'])
  if (found.status !== 0) throw new Error('there is no python3 with venv')
  return found.stdout.toString()
}

/** What pip says last is what went wrong. */
const lastLine = (error: unknown): string => {
  const text = (error as { stderr?: string }).stderr ?? String(error)
  return text.trim().split('\n').at(-1) ?? ''
}
