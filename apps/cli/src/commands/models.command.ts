import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { CommandError } from '../command-error.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

type Flags = ConnectionFlags & { readonly json?: true }

/** A model as the API tells of it. */
interface ModelRow {
  readonly name: string
  readonly version: string
  readonly title: string
  readonly state: string
  readonly reason: string | null
  readonly is_active: boolean
  readonly is_shadow: boolean
}

interface Activation {
  readonly name: string
  readonly active: string | null
  readonly previous: string | null
  readonly shadow: string | null
}

/** `memoryguard models`: the models of a running service, and the folders they are made of. */
export function modelsCommand(): Command {
  return new Command('models')
    .description('list, show, switch, verify and add models')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(switchCommand('activate', 'have a version serve where none is named'))
    .addCommand(switchCommand('shadow', 'have a version run unseen on the same inputs, to be compared'))
    .addCommand(rollbackCommand())
    .addCommand(verifyCommand())
    .addCommand(initCommand())
}

function listCommand(): Command {
  const command = new Command('list').description('list the models with their state')
  return withConnection(command).action(async (flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: '/v1/models' })
    if (flags.json) return printJson(body)
    const { items, unreadable } = body as {
      items: readonly ModelRow[]
      unreadable: readonly { readonly model: string; readonly reason: string }[]
    }
    for (const { name, version, state, is_active: isActive, is_shadow: isShadow, reason, title } of items) {
      const role = isActive ? 'active' : isShadow ? 'shadow' : ''
      print(`${`${name}@${version}`.padEnd(28)} ${state.padEnd(8)} ${role.padEnd(7)} ${reason ?? title}`)
    }
    for (const { model, reason } of unreadable) print(`${model.padEnd(28)} ${'broken'.padEnd(16)} ${reason}`)
  })
}

function showCommand(): Command {
  const command = new Command('show').description('show the card of a model').argument('<model>', 'name@version')
  return withConnection(command).action(async (model: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: pathOf(model) })
    if (flags.json) return printJson(body)
    print((body as { card: string }).card)
  })
}

function switchCommand(verb: 'activate' | 'shadow', description: string): Command {
  const command = new Command(verb).description(description).argument('<model>', 'name@version')
  return withConnection(command).action(async (model: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ method: 'POST', path: `${pathOf(model)}/${verb}` })
    showActivation(body as Activation, flags)
  })
}

function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description('return to the version that was active before')
    .argument('<name>', 'name of the model')
  return withConnection(command).action(async (name: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const path = `/v1/models/${encodeURIComponent(name)}/rollback`
    const { body } = await connect(flags).send({ method: 'POST', path })
    showActivation(body as Activation, flags)
  })
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('list every fault of a model folder; exit code 1 if there is one')
    .argument('[path]', 'a model folder, or name or name@version in MODELS_DIR (default: all of them)')
    .option('--json', 'as JSON')
    .action(async (wanted: string | undefined, { json }: { readonly json?: true }) => {
      const paths = await foldersOf(wanted)
      const verified = await withTrialPool(async (pool) => {
        const { verifyModelFolder } = await import('#libs/ml')
        const results = []
        for (const path of paths) results.push(await verifyModelFolder(path, pool))
        return results
      })
      if (verified.some(({ faults }) => faults.length > 0)) process.exitCode = 1
      if (json) return printJson(verified)
      for (const { path, reference, faults, explanations } of verified) {
        print(`${reference ?? path}: ${faults.length === 0 ? 'ok' : `${faults.length} faults`}`)
        for (const { pointer, message } of faults) print(`  ${pointer}: ${message}`)
        for (const { output, method, space } of explanations)
          print(`  ${output} is explained by ${method}, in ${space}`)
      }
    })
}

function initCommand(): Command {
  return new Command('init')
    .description('make the folder of a new model from an ONNX file and some rows')
    .argument('<onnx>', 'the ONNX file')
    .requiredOption('--name <name>', 'name of the model: lower-case letters, digits and hyphens')
    .requiredOption(
      '--rows <csv>',
      'rows of inputs: header in the order of the columns, optionally a column "expected"',
    )
    .option('--model-version <version>', 'its version', '1')
    .option('--output <tensor:column>', 'the probability, e.g. probabilities:1 (default: what looks like it)')
    .action(async (onnx: string, flags: { name: string; rows: string; modelVersion: string; output?: string }) => {
      const { name, rows, modelVersion: version, output } = flags
      const root = await modelsFolder()
      const path = await withTrialPool(async (pool) => {
        const { initModel } = await import('#libs/ml')
        return initModel({ name, version, graph: onnx, rows, output, root }, pool)
      })
      print(`Wrote ${path}`)
      print('Correct the units, ranges and categories in its manifest.json, then:')
      print(`  npx memoryguard models verify ${name}@${version}`)
    })
}

/** A pool in whose children a graph may crash or hang without harm. */
async function withTrialPool<Answer>(work: (pool: import('#libs/ml').ComputePool) => Promise<Answer>): Promise<Answer> {
  const { PreforkPool } = await import('#libs/ml')
  const { createLogger } = await import('#libs/platform')
  // What it would log is what is shown.
  const options = { size: 1, maxTasksPerChild: 0, maxMemoryPerChildKb: 0 }
  const pool = new PreforkPool(options, createLogger('cli', 'silent'))
  try {
    return await work(pool)
  } finally {
    await pool.stop()
  }
}

async function modelsFolder(): Promise<string> {
  const { loadConfig, readEnvironment } = await import('#libs/platform')
  return loadConfig(readEnvironment()).models.folder
}

/** The model folders that a word means: a path, a model in MODELS_DIR, or all of them. */
async function foldersOf(wanted: string | undefined): Promise<readonly string[]> {
  if (wanted !== undefined && existsSync(wanted)) return [wanted]
  const root = await modelsFolder()
  const { listModelFolders } = await import('#libs/ml/manifest')
  if (!existsSync(root)) throw new CommandError(`There is no folder ${root}: set MODELS_DIR.`)
  const all = await listModelFolders(root)
  const chosen = all.filter(
    ({ name, version }) => wanted === undefined || wanted === name || wanted === `${name}@${version}`,
  )
  if (chosen.length === 0) throw new CommandError(`There is no model folder ${wanted ?? `in ${root}`}.`)
  return chosen.map(({ name, version }) => join(root, name, version))
}

function pathOf(model: string): string {
  const [name = '', version] = model.split('@')
  if (version === undefined) throw new CommandError('Name the version too: name@version.')
  return `/v1/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}`
}

function showActivation(activation: Activation, { json }: Flags): void {
  if (json) return printJson(activation)
  const { name, active, previous, shadow } = activation
  print(`${name}: active ${active ?? 'none'}, before ${previous ?? 'none'}, shadow ${shadow ?? 'none'}`)
}
