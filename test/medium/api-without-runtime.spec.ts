import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

const built = new URL('../../dist/', import.meta.url)

/** Imports a built module in a process of its own in which the native runtime can be neither imported nor required. */
const importWithoutRuntime = (module: string) => {
  const hooks = `
    export const resolve = (specifier, context, next) => {
      if (specifier.startsWith('onnxruntime')) throw new Error('the native runtime was asked for')
      return next(specifier, context)
    }`
  const program = `
    import Module, { register } from 'node:module'
    const load = Module._load
    Module._load = (name, ...rest) => {
      if (name.startsWith('onnxruntime')) throw new Error('the native runtime was asked for')
      return load(name, ...rest)
    }
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}))
    await import(${JSON.stringify(new URL(module, built).href)})`
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
}

describe('the built API', () => {
  it('does not load the native runtime', () => {
    const { status, stderr } = importWithoutRuntime('apps/api/src/create-app.js')
    expect(stderr).toBe('')
    expect(status).toBe(0)
  })

  it('is distinguished by this check from what does', () => {
    const { status, stderr } = importWithoutRuntime('libs/ml/src/index.js')
    expect(status).not.toBe(0)
    expect(stderr).toContain('the native runtime was asked for')
  })
})
