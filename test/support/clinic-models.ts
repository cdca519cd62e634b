import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addThrowingModel } from './throwing-model.js'

const shipped = fileURLToPath(new URL('../../models/', import.meta.url))

/** A shipped model under another name, whose inputs are called what nobody calls them. */
const addMadeUpModel = (folder: string): void => {
  cpSync(`${shipped}ukbdrs`, join(folder, 'moon-risk'), { recursive: true })
  const file = join(folder, 'moon-risk/1/manifest.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { inputs: Record<string, unknown>[] }
  const inputs = manifest.inputs.map((input) => {
    if (input['name'] === 'diabetes') return { ...input, title: 'Howls at night', words: { rarely: 0, every_night: 1 } }
    if (input['name'] === 'education_years')
      return { ...input, title: 'Moonlight', unit: 'lux', typical: { low: 2, high: 20 } }
    return input
  })
  const outputs = [
    { name: 'risk_14y', title: 'Probability of sleepwalking', value: { tensor: 'probability' }, horizon_years: 14 },
  ]
  writeFileSync(file, JSON.stringify({ ...manifest, name: 'moon-risk', title: 'Moon risk', inputs, outputs }))
}

/** Every shipped model, one that was made up, and one that fails. */
export const addClinicModels = (folder: string): void => {
  for (const name of ['caide', 'dementia-risk', 'mmse-forecast', 'ukbdrs'])
    cpSync(shipped + name, join(folder, name), { recursive: true })
  addMadeUpModel(folder)
  addThrowingModel(folder)
}
