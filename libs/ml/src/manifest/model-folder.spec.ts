import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryGuardError } from '#libs/platform'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FolderScanner } from './folder-scanner.js'
import { readModelFolder } from './model-folder.js'
import { modelFolderPath } from './model-path.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const golden = JSON.stringify({ cases: [{ inputs: { age: 70 }, outputs: { risk: { value: 0.5 } } }] })

/** A good folder's files; `manifest` changes its manifest before it is written. */
const write = (folder: string, change: (manifest: Record<string, unknown>) => void = () => undefined) => {
  mkdirSync(folder, { recursive: true })
  const input = { title: 'x', unit: 'years', min: 0, max: 120 }
  const manifest: Record<string, unknown> = {
    manifest_version: 1,
    kind: 'risk',
    name: 'test-model',
    version: '1',
    title: 'Test',
    summary: 'Test',
    disclaimer: 'Decision support, not diagnosis.',
    inputs: [
      { ...input, name: 'age' },
      { ...input, name: 'mmse_score' },
    ],
    graph: { file: 'model.onnx', input: 'features' },
    missing: { rule: 'native' },
    outputs: [{ name: 'risk', title: 'Risk', value: { tensor: 'p' } }],
    primary_output: 'risk',
    categories: [{ name: 'low', below: 0.3 }, { name: 'high' }],
    files: { 'model.onnx': sha256('graph'), 'golden.json': sha256(golden) },
  }
  change(manifest)
  writeFileSync(join(folder, 'model.onnx'), 'graph')
  writeFileSync(join(folder, 'golden.json'), golden)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
}

const faultsOf = async (folder: string) => {
  const error: unknown = await readModelFolder(folder).catch((reason: unknown) => reason)
  if (!(error instanceof MemoryGuardError)) throw new Error('The folder was accepted', { cause: error })
  expect(error.code).toBe('MODEL_INVALID')
  for (const { pointer, message } of error.faults) expect(error.message).toContain(`${pointer}: ${message}`)
  return error.faults
}

describe('a model folder', () => {
  let root: string
  let folder: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-folder-'))
    folder = join(root, 'test-model', '1')
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('A8: reads nothing that lies elsewhere, whatever its manifest and its links say', async () => {
    const outside = join(root, 'secret.json')
    writeFileSync(outside, golden)
    for (const file of ['../../secret.json', outside, '..', 'a/b', '.hidden']) {
      write(folder, (manifest) => {
        manifest['files'] = { ...(manifest['files'] as object), [file]: sha256(golden) }
        manifest['graph'] = { file, input: 'features' }
      })
      const messages = (await faultsOf(folder)).map(({ message }) => message)
      expect(messages).toContain('must be a file name without folders')
    }
    write(folder)
    rmSync(join(folder, 'golden.json'))
    symlinkSync(outside, join(folder, 'golden.json'))
    expect(await faultsOf(folder)).toEqual([{ pointer: 'golden.json', message: 'is a link out of the folder' }])
    rmSync(join(folder, 'golden.json'))
    mkdirSync(join(folder, 'golden.json'))
    expect(await faultsOf(folder)).toEqual([{ pointer: 'golden.json', message: 'is no regular file' }])
  })

  it('A8: may hold links to files of its own, as a mounted volume does', async () => {
    write(folder)
    mkdirSync(join(folder, '..data'))
    writeFileSync(join(folder, '..data', 'golden.json'), golden)
    rmSync(join(folder, 'golden.json'))
    symlinkSync(join('..data', 'golden.json'), join(folder, 'golden.json'))
    expect((await readModelFolder(folder)).golden?.cases).toHaveLength(1)
  })

  it('is read with its defaults filled in', async () => {
    write(folder)
    const { manifest, golden: cases } = await readModelFolder(folder)
    expect(manifest).toMatchObject({ kind: 'risk', graph: { dtype: 'float32' }, interval: null })
    expect(cases).toEqual({ tolerance: 1e-6, cases: [{ inputs: { age: 70 }, outputs: { risk: { value: 0.5 } } }] })
  })

  it('is refused with every fault of its manifest at once', async () => {
    write(folder, (manifest) => {
      manifest['version'] = 'latest'
      manifest['title'] = ''
      manifest['colour'] = 'red'
      delete manifest['graph']
    })
    const pointers = (await faultsOf(folder)).map(({ pointer }) => pointer)
    expect(pointers).toEqual(
      expect.arrayContaining(['manifest.json#/version', 'manifest.json#/title', 'manifest.json#/graph']),
    )
    expect(pointers.length).toBeGreaterThanOrEqual(4)
  })

  it('is refused for unknown keys beside all other faults, in every file', async () => {
    write(folder, (manifest) => {
      const [first, second] = manifest['inputs'] as object[]
      manifest['colour'] = 'red'
      manifest['inputs'] = [{ ...first, min: 121, hue: 1 }, second]
      manifest['primary_output'] = 'other'
      manifest['missing'] = { rule: 'impute', values: {} }
    })
    writeFileSync(join(folder, 'golden.json'), JSON.stringify({ ...JSON.parse(golden), shade: 1 }))
    const faults = await faultsOf(folder)
    expect(faults).toEqual(
      expect.arrayContaining([
        { pointer: 'manifest.json#/colour', message: 'is not a known key' },
        { pointer: 'manifest.json#/inputs/0/hue', message: 'is not a known key' },
        { pointer: 'manifest.json#/inputs/0', message: 'min is greater than max' },
        { pointer: 'manifest.json#/primary_output', message: 'is none of the outputs risk' },
        { pointer: 'manifest.json#/missing/values', message: 'age has no value' },
        { pointer: 'manifest.json#/missing/values', message: 'mmse_score has no value' },
        { pointer: 'golden.json#/shade', message: 'is not a known key' },
        { pointer: 'golden.json', message: 'its sha256 differs from the manifest' },
      ]),
    )
    expect(faults).toHaveLength(8)
  })

  it('is refused for contradictions, digests and files, all at once', async () => {
    write(folder, (manifest) => {
      const [first] = manifest['inputs'] as object[]
      manifest['inputs'] = [{ ...first, min: 121 }, first]
      manifest['primary_output'] = 'other'
      manifest['categories'] = [{ name: 'low', below: 0.5 }, { name: 'mid', below: 0.3 }, { name: 'high' }]
      manifest['missing'] = { rule: 'impute', values: {} }
      manifest['evidence'] = {
        intended_use: 'Tests',
        training_data: 'None',
        validation: 'None',
        calibration: [{ title: 'Risk', output: 'other', points: [{ predicted: 0.1, observed: 0.2, count: 3 }] }],
        importance: { measure: 'points', values: { age: 1, colour: 2 } },
      }
      manifest['files'] = { 'golden.json': sha256('other'), 'card.md': sha256('card') }
    })
    expect(await faultsOf(folder)).toEqual(
      expect.arrayContaining([
        { pointer: 'manifest.json#/inputs/1/name', message: 'age stands twice' },
        { pointer: 'manifest.json#/inputs/0', message: 'min is greater than max' },
        { pointer: 'manifest.json#/primary_output', message: 'is none of the outputs risk' },
        { pointer: 'manifest.json#/categories', message: expect.stringContaining('must rise') },
        { pointer: 'manifest.json#/missing/values', message: 'age has no value' },
        { pointer: 'manifest.json#/evidence/importance/values/colour', message: 'is no input' },
        { pointer: 'manifest.json#/evidence/calibration/0/output', message: 'is none of the outputs risk' },
        { pointer: 'manifest.json#/files', message: 'model.onnx has no digest' },
        { pointer: 'golden.json', message: 'its sha256 differs from the manifest' },
        { pointer: 'card.md', message: 'is missing' },
      ]),
    )
  })

  it('is refused when a file was changed after its release', async () => {
    write(folder)
    writeFileSync(join(folder, 'model.onnx'), 'another graph')
    expect(await faultsOf(folder)).toEqual([{ pointer: 'model.onnx', message: 'its sha256 differs from the manifest' }])
  })

  it('is refused without a manifest, or with one that is no JSON', async () => {
    mkdirSync(folder, { recursive: true })
    expect(await faultsOf(folder)).toEqual([
      { pointer: 'manifest.json', message: 'is missing' },
      { pointer: 'golden.json', message: 'is missing' },
    ])
    writeFileSync(join(folder, 'manifest.json'), '{')
    expect(await faultsOf(folder)).toContainEqual({ pointer: 'manifest.json', message: 'is not readable JSON' })
  })

  it('cannot name a file outside itself', async () => {
    write(folder, (manifest) => {
      manifest['files'] = { '../../secret': sha256('x') }
    })
    expect((await faultsOf(folder))[0]?.pointer).toContain('manifest.json#/files')
  })

  it('that is broken does not hide the others', async () => {
    write(folder)
    write(join(root, 'test-model', '2'), (manifest) => {
      manifest['version'] = '2'
      manifest['primary_output'] = 'other'
    })
    mkdirSync(join(root, 'training', 'notes'), { recursive: true })
    const { models, broken } = await new FolderScanner(root).scan()
    expect(models.map(({ manifest }) => manifest.version)).toEqual(['1'])
    expect(broken).toMatchObject([{ path: join(root, 'test-model', '2'), error: expect.any(MemoryGuardError) }])
  })
})

describe('A8: the path of a model folder', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-root-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it.each([
    ['../evil', '1'],
    ['..', '1'],
    ['/etc', '1'],
    ['a/b', '1'],
    ['a\\b', '1'],
    ['', '1'],
    ['a\0b', '1'],
    ['Evil', '1'],
    ['a'.repeat(64), '1'],
    ['fine', '../1'],
    ['fine', '..'],
    ['fine', '.'],
    ['fine', '1/../../x'],
    ['fine', ''],
    ['fine', 'v1'],
  ])('is refused for %j, %j', async (name, version) => {
    await expect(modelFolderPath(root, name, version)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('is refused if a link leads out of the root, and taken below it', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'memoryguard-outside-'))
    symlinkSync(outside, join(root, 'linked'))
    await expect(modelFolderPath(root, 'linked', '1')).rejects.toThrow('is a link out of the folder of models')
    rmSync(outside, { recursive: true })
    expect(await modelFolderPath(root, 'fine-2', '1.2-rc_1')).toBe(join(root, 'fine-2', '1.2-rc_1'))
  })

  it('is not searched for below a folder whose name cannot be one; the others are read', async () => {
    write(join(root, 'test-model', '1'))
    write(join(root, 'Bad\u001b[31m', '1'))
    symlinkSync('/nowhere', join(root, 'test-model', '1', 'dangling'))
    const { models, broken } = await new FolderScanner(root).scan()
    expect(models.map(({ manifest }) => manifest.name)).toEqual(['test-model'])
    expect(broken).toMatchObject([{ reference: 'Bad?[31m@1', error: { code: 'MODEL_INVALID' } }])
  })
})
