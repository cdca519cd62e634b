import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createExplainer, type Explainer } from '../libs/ml/src/explain/index.js'

/**
 * Exact Tree SHAP against the Python package shap (its compiled TreeExplainer), one thread each, on the same trees and
 * people, one after the other in one run. `SHAP_PYTHON` names an interpreter with models/training/reference/requirements.txt;
 * without it only our own times are shown.
 */

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const fixtures = new URL('test/fixtures/shap/', root)
const script = fileURLToPath(new URL('models/training/reference/time_shap.py', root))
const methods = ['tree_path_dependent', 'tree_interventional'] as const

const aboutSchema = z.object({
  inputs: z.int(),
  rows: z.int(),
  background_rows: z.int(),
  output: z.object({ tensor: z.string(), column: z.int() }),
  trees: z.int(),
  leaves: z.int(),
})

const timeSchema = z.object({ many_ms: z.number(), one_ms: z.number() })
const pythonSchema = z.record(z.enum(methods), timeSchema)

/** The lower quartile: other work on the machine only ever adds. */
const typical = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 4)] ?? NaN

const typicalMs = async (run: () => Promise<unknown>, repeats: number): Promise<number> => {
  const times: number[] = []
  for (let i = 0; i < repeats; i++) {
    const start = performance.now()
    await run()
    times.push(performance.now() - start)
  }
  return typical(times)
}

const python = process.env.SHAP_PYTHON

const timePython = (folder: URL): z.infer<typeof pythonSchema> | undefined => {
  if (python === undefined) return undefined
  const run = spawnSync(python, [script, fileURLToPath(folder)], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`${script} failed: ${run.stderr || String(run.error)}`)
  return pythonSchema.parse(JSON.parse(run.stdout))
}

const timeOurs = async (make: () => Promise<Explainer>, rows: Float64Array, count: number) => {
  const start = performance.now()
  const explainer = await make()
  const createMs = performance.now() - start
  const firstStart = performance.now()
  await explainer.explain(rows, count)
  const firstMs = performance.now() - firstStart
  const manyMs = await typicalMs(() => explainer.explain(rows, count), 15)
  // A fresh explainer and another person each time: nothing is known of the person, but the code is warm.
  const fresh = await make()
  let person = 0
  const next = () => {
    person++
    return fresh.explain(rows.subarray(person * fresh.inputs, (person + 1) * fresh.inputs), 1)
  }
  const oneMs = await typicalMs(next, count - 1)
  return { createMs, firstMs, manyMs, oneMs }
}

const ms = (value: number): string => (value < 1 ? value.toFixed(3) : value.toFixed(1))

if (python === undefined) {
  console.log('SHAP_PYTHON is not set: the Python package is not timed, so there are no ratios.')
}
for (const name of readdirSync(fixtures)) {
  const folder = new URL(`${name}/`, fixtures)
  const about = aboutSchema.parse(JSON.parse(readFileSync(new URL('about.json', folder), 'utf8')))
  const modelBytes = readFileSync(new URL('model.onnx', folder))
  const rows = Float64Array.from(new Float32Array(new Uint8Array(readFileSync(new URL('rows.f32', folder))).buffer))
  const background = rows.slice(0, about.background_rows * about.inputs)
  const theirs = timePython(folder)
  console.log(`\n${name}: ${about.trees} trees, ${about.leaves} leaves, ${about.inputs} inputs, ${about.rows} people`)
  for (const method of methods) {
    const space = name === 'random-forest' || name === 'extra-trees-deep' ? 'probability' : 'log_odds'
    const make = () =>
      createExplainer({ modelBytes, output: about.output, inputs: about.inputs, background, method, space })
    const ours = await timeOurs(make, rows, about.rows)
    const { createMs, firstMs, manyMs, oneMs } = ours
    console.log(
      `  ${method}: ${about.rows} people ${ms(manyMs)} ms (first time ${ms(firstMs)} ms), one ${ms(oneMs)} ms, prepared in ${ms(createMs)} ms`,
    )
    const other = theirs?.[method]
    if (other === undefined) continue
    console.log(
      `    shap: ${about.rows} people ${ms(other.many_ms)} ms, one ${ms(other.one_ms)} ms; ` +
        `shap takes ${(other.many_ms / manyMs).toFixed(1)} x our time (first time ${(other.many_ms / firstMs).toFixed(1)} x), one ${(other.one_ms / oneMs).toFixed(1)} x`,
    )
  }
}
