import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import type { ModelList, ModelRow } from '../client/models.js'
import { CommandError } from '../command-error.js'
import { print, printJson } from '../output.js'
import { group, path, sends } from './api-command.js'

interface Activation {
  readonly name: string
  readonly active: string | null
  readonly previous: string | null
  readonly shadow: string | null
}

interface InitFlags {
  readonly name: string
  readonly rows: string
  readonly modelVersion: string
  readonly output?: string
}

const rowOf = ({ name, version, state, is_active: isActive, is_shadow: isShadow, reason, title }: ModelRow): string => {
  const role = isActive ? 'active' : isShadow ? 'shadow' : ''
  return `${`${name}@${version}`.padEnd(28)} ${state.padEnd(8)} ${role.padEnd(7)} ${reason ?? title}`
}

const showActivation = ({ name, active, previous, shadow }: Activation): string[] => [
  `${name}: active ${active ?? 'none'}, before ${previous ?? 'none'}, shadow ${shadow ?? 'none'}`,
]

const pathOf = (model: string): string => {
  const [name = '', version] = model.split('@')
  if (version === undefined) throw new CommandError('Name the version too: name@version.')
  return path`/v1/models/${name}/${version}`
}

const switchCommand = (verb: string, description: string): Command =>
  sends(new Command(verb).description(description).argument('<model>', 'name@version'), {
    request: ([model]: [string]) => ({ method: 'POST', path: `${pathOf(model)}/${verb}` }),
    show: showActivation,
  })

/** `memoryguard models`: the models of a running service, and the folders they are made of. */
export const modelsCommand = (): Command =>
  group('models', 'list, show, switch, verify and add models', [
    sends(new Command('list').description('list the models with their state'), {
      request: () => ({ path: '/v1/models' }),
      show: ({ items, unreadable }: ModelList) => [
        ...items.map(rowOf),
        ...unreadable.map(({ model, reason }) => `${model.padEnd(28)} ${'broken'.padEnd(16)} ${reason}`),
      ],
    }),
    sends(new Command('show').description('show the card of a model').argument('<model>', 'name@version'), {
      request: ([model]: [string]) => ({ path: pathOf(model) }),
      show: ({ card }: { readonly card: string }) => [card],
    }),
    switchCommand('activate', 'have a version serve where none is named'),
    switchCommand('shadow', 'have a version run unseen on the same inputs, to be compared'),
    sends(
      new Command('rollback')
        .description('return to the version that was active before')
        .argument('<name>', 'name of the model'),
      {
        request: ([name]: [string]) => ({ method: 'POST', path: path`/v1/models/${name}/rollback` }),
        show: showActivation,
      },
    ),
    verifyCommand(),
    initCommand(),
  ])

const verifyCommand = (): Command =>
  new Command('verify')
    .description('list every fault of a model folder; exit code 1 if there is one')
    .argument('[path]', 'a model folder, or name or name@version in MODELS_DIR (default: all of them)')
    .option('--json', 'as JSON')
    .action(async (wanted: string | undefined, { json }: { readonly json?: true }) => {
      const paths = await foldersOf(wanted)
      const verified = await withTrialPool(async (pool) => {
        const { verifyModelFolder } = await import('#libs/ml')
        const results = []
        for (const folder of paths) results.push(await verifyModelFolder(folder, pool))
        return results
      })
      if (verified.some(({ faults }) => faults.length > 0)) process.exitCode = 1
      if (json) return printJson(verified)
      for (const { path: folder, reference, faults, explanations } of verified) {
        print(`${reference ?? folder}: ${faults.length === 0 ? 'ok' : `${faults.length} faults`}`)
        for (const { pointer, message } of faults) print(`  ${pointer}: ${message}`)
        for (const { output, method, space } of explanations)
          print(`  ${output} is explained by ${method}, in ${space}`)
      }
    })

const initCommand = (): Command =>
  new Command('init')
    .description('make the folder of a new model from an ONNX file and some rows')
    .argument('<onnx>', 'the ONNX file')
    .requiredOption('--name <name>', 'name of the model: lower-case letters, digits and hyphens')
    .requiredOption(
      '--rows <csv>',
      'rows of inputs: header in the order of the columns, optionally a column "expected"',
    )
    .option('--model-version <version>', 'its version', '1')
    .option('--output <tensor:column>', 'the probability, e.g. probabilities:1 (default: what looks like it)')
    .action(async (onnx: string, { name, rows, modelVersion: version, output }: InitFlags) => {
      const root = await modelsFolder()
      const folder = await withTrialPool(async (pool) => {
        const { initModel } = await import('#libs/ml')
        return initModel({ name, version, graph: onnx, rows, output, root }, pool)
      })
      print(`Wrote ${folder}`)
      print('Correct the units, ranges and categories in its manifest.json, then:')
      print(`  npx memoryguard models verify ${name}@${version}`)
    })

/** A pool in whose children a graph may crash or hang without harm. */
const withTrialPool = async <Result>(work: (pool: import('#libs/ml').ComputePool) => Promise<Result>) => {
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

const modelsFolder = async (): Promise<string> => {
  const { loadConfig, readEnvironment } = await import('#libs/platform')
  return loadConfig(readEnvironment()).models.folder
}

/** The model folders that a word means: a path, a model in MODELS_DIR, or all of them. */
const foldersOf = async (wanted: string | undefined): Promise<readonly string[]> => {
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
