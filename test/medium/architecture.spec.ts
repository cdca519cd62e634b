import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const page = readFileSync(fileOf('docs/architecture.md'), 'utf8')
const steps = [...page.matchAll(/^\| +(\d+) \|.*\| `(\S+\.ts)` +\| `(\w+)` +\|$/gm)].map(
  ([, step = '', path = '', name = '']) => ({ step, path, name }),
)
const rooms = [...page.matchAll(/^\| `((?:apps|libs)\/[\w-]+)` +\|/gm)].map(([, room = '']) => room)

describe('the page on the architecture', () => {
  it('has ten steps, each a function that a reader finds in its file', () => {
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 10 }, (_, index) => String(index + 1)))
    const missing = steps.filter(
      ({ path, name }) =>
        !existsSync(fileOf(path)) ||
        !new RegExp(`^(?:export const |  (?:async )?)${name}\\b[ =(<]`, 'm').test(readFileSync(fileOf(path), 'utf8')),
    )
    expect(missing).toEqual([])
  })

  it('names every room that there is', () => {
    const { projects } = JSON.parse(readFileSync(fileOf('nest-cli.json'), 'utf8')) as {
      projects: Record<string, { root: string }>
    }
    expect([...rooms].sort()).toEqual(
      Object.values(projects)
        .map(({ root }) => root)
        .sort(),
    )
  })

  it('names files that there are', () => {
    const paths = [...page.matchAll(/`((?:apps|libs)\/\S+\.(?:ts|json))`/g)].map(([, path = '']) => path)
    expect(paths.filter((path) => !existsSync(fileOf(path)))).toEqual([])
  })
})
