import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { productVersion } from './version.js'

it('is the version of package.json', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  expect(manifest).toMatchObject({ version: productVersion })
})
