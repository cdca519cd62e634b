import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { CommandError } from '../command-error.js'
import { print, printJson } from '../output.js'

interface ModelsFlags {
  readonly json?: true
}

/** One model folder as `models list` and `models verify` tell of it. */
interface ModelRow {
  /** `name@version`, or the folder of a model that cannot be read. */
  readonly model: string
  readonly state: string
  /** What it answers; for a broken one its faults. */
  readonly detail: string
}

/** `memoryguard models`: the model folders of MODELS_DIR on this machine. */
export function modelsCommand(): Command {
  return new Command('models')
    .description('list or verify the models in MODELS_DIR')
    .addCommand(listCommand())
    .addCommand(verifyCommand())
}

function listCommand(): Command {
  return new Command('list')
    .description('list the models, without running them')
    .option('--json', 'as JSON')
    .action(async (flags: ModelsFlags) => {
      const { models, broken } = await readModels()
      show([...models.map(({ model, title }) => ({ model, state: 'present', detail: title })), ...broken], flags)
    })
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('check digests, load each model, and compare its answers with its golden file; exit code 1 on a fault')
    .argument('[model]', 'name or name@version (default: all)')
    .option('--json', 'as JSON')
    .action(async (wanted: string | undefined, flags: ModelsFlags) => {
      const { ModelRegistry, SoloPool } = await import('#libs/ml')
      const { createLogger } = await import('#libs/platform')
      const { models, broken } = await readModels()
      const chosen = models.filter(({ model, name }) => wanted === undefined || wanted === model || wanted === name)
      if (wanted !== undefined && chosen.length === 0) throw new CommandError(`There is no readable model ${wanted}.`)
      const pool = new SoloPool()
      // What it would log is what is shown below.
      const registry = new ModelRegistry(pool, createLogger('cli', 'silent'))
      await registry.loadAll(chosen.map(({ folder }) => folder))
      await pool.stop()
      const verified = registry.models.map(({ reference, state, reason }) => ({
        model: reference,
        state,
        detail: reason ?? 'its answers are those of its golden file',
      }))
      const rows = wanted === undefined ? [...verified, ...broken] : verified
      show(rows, flags)
      if (rows.some(({ state }) => state === 'broken')) process.exitCode = 1
    })
}

async function readModels() {
  const { loadConfig, readEnvironment } = await import('#libs/platform')
  const { readModelFolders, referenceOf } = await import('#libs/ml/manifest')
  const { folder } = loadConfig(readEnvironment()).models
  if (!existsSync(folder)) throw new CommandError(`There is no folder ${folder}: set MODELS_DIR.`)
  const found = await readModelFolders(folder)
  return {
    models: found.models.map((folder) => {
      const { manifest } = folder
      return { folder, model: referenceOf(manifest), name: manifest.name, title: manifest.title }
    }),
    broken: found.broken.map(({ path, error }): ModelRow => ({
      model: path,
      state: 'broken',
      detail: error instanceof Error ? error.message : String(error),
    })),
  }
}

function show(rows: readonly ModelRow[], { json }: ModelsFlags): void {
  if (json) return printJson(rows)
  for (const { model, state, detail } of rows) print(`${model.padEnd(24)} ${state.padEnd(8)} ${detail}`)
}
