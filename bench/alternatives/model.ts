import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeRows } from '../../libs/ml/src/features/encode-rows.js'
import { FolderScanner, ModelCatalogue } from '../../libs/ml/src/manifest/index.js'
import { OnnxSession, OnnxTensor } from '../../libs/ml/src/runtime/onnxruntime.js'

const models = fileURLToPath(new URL('../../../models', import.meta.url))

/** The same people as those of the load generator. */
export const personOf = (index: number): Readonly<Record<string, number>> => ({
  mmse_score: 10 + (index % 21),
  age: 55 + (index % 40),
  sex: index % 2,
  education_years: 6 + (index % 12),
  nwbv: 0.65 + (index % 20) / 100,
})

/** Loads the model that the service uses by default; the function returned computes one person in this process. */
export const loadModel = async (): Promise<(person: Readonly<Record<string, number>>) => Promise<number>> => {
  const found = await new FolderScanner(models).scan()
  const { manifest } = new ModelCatalogue(found.models, 'impairment-screen').getRiskModel(undefined)
  const folder = found.models.find((model) => model.manifest === manifest)
  const [output] = manifest.outputs
  if (!folder || !output) throw new Error('The default model has no folder or no output')
  const session = await OnnxSession.create(join(folder.path, manifest.graph.file), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  })
  return async (person) => {
    const rows = encodeRows(manifest, [person])
    const input = new OnnxTensor('float32', rows, [1, rows.length])
    const tensors = await session.run({ [manifest.graph.input]: input }, [output.value.tensor])
    return Number(tensors[output.value.tensor]?.data[output.value.column])
  }
}
