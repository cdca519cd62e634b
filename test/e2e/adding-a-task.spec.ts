import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.js'

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const guide = readFileSync(fileOf('docs/adding-a-task.md'), 'utf8')
/** What the guide writes: the path is the first line of each block. */
const files = [...guide.matchAll(/```ts\n\/\/ (\S+\.ts)(, more lines)?\n([^]*?)```/g)].map(
  ([, path = '', addition, text = '']) => ({ path, isAddition: addition !== undefined, text }),
)
const [, shell = ''] = /```sh\n([^]*?)```/.exec(guide) ?? []
/** What the guide posts, by path and body, in its order. */
const posts = shell
  .split(/\n(?=\S)/)
  .filter((command) => command.startsWith('curl '))
  .map((command) => ({
    path: /127\.0\.0\.1:3000(\S+)/.exec(command)?.[1] ?? '',
    body: /-d '([^']+)'/.exec(command)?.[1] ?? '',
  }))
const [, args = ''] = /npx memoryguard (call .*)/.exec(shell) ?? []

/** Words of a shell's line, those in single quotes whole. */
const wordsOf = (line: string) =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

describe('the guide to adding a task', () => {
  let root: string
  let stack: Stack

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'memoryguard-task-'))
    const filter = (path: string) => !/\.spec\.ts$|node_modules|apps\/console/.test(path)
    for (const path of ['apps', 'libs', 'bin', 'models', 'package.json', 'tsconfig.json']) {
      cpSync(fileOf(path), join(root, path), { recursive: true, filter })
    }
    // The compiler then checks again only what the guide changes.
    cpSync(fileOf('dist'), join(root, 'dist'), { recursive: true })
    symlinkSync(fileOf('node_modules'), join(root, 'node_modules'))
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(root, { recursive: true })
  })

  /** Puts lines into a file: what is imported or exported at its top, an entry at the start of its object. */
  const addLines = (path: string, text: string) => {
    const lines = text.trimEnd().split('\n')
    const isEntry = (line: string) => line.startsWith('  ')
    const [statements, entries] = [lines.filter((line) => !isEntry(line)), lines.filter(isEntry)]
    const file = readFileSync(path, 'utf8')
    const withEntries =
      entries.length === 0 ? file : file.replace(/(export const .*= \{\n)/, `$1${entries.join('\n')}\n`)
    writeFileSync(path, [...statements, withEntries].join('\n'))
  }
  const build = (script: string) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, script)], {
      cwd: root,
      encoding: 'utf8',
    })
    return { status, output: stdout + stderr }
  }

  it('does not compile before the task has its handler, and the compiler names the file', () => {
    expect(files.map(({ isAddition }) => isAddition)).toEqual([false, true, true, false, true])
    for (const { path, isAddition, text } of files) {
      expect(existsSync(join(root, path))).toBe(isAddition)
      if (path.endsWith('handlers.ts')) continue
      if (isAddition) addLines(join(root, path), text)
      else writeFileSync(join(root, path), text)
    }
    const { status, output } = build('node_modules/typescript/bin/tsc')
    expect([status, output]).toEqual([
      2,
      expect.stringMatching(/apps\/worker\/src\/handlers\/handlers\.ts.*'"?ml\.metric_trend"?'/),
    ])
  })

  it('adds two files and a few lines, and all of it compiles', () => {
    const table = files.find(({ path }) => path.endsWith('handlers.ts'))
    if (!table) throw new Error('The guide does not change the table of handlers')
    addLines(join(root, table.path), table.text)
    // What `npm run build` runs.
    for (const script of ['node_modules/typescript/bin/tsc', 'bin/bundle.mjs']) {
      expect({ script, ...build(script) }).toEqual({ script, status: 0, output: '' })
    }
  })

  it('ends with a task that is called over REST and from the command line', async () => {
    stack = await startStack({ broker: 'postgres', root })
    const responses = []
    for (const { path, body } of posts) {
      responses.push(await stack.request('POST', path, body, { prefer: 'wait=20' }))
    }
    const result = { measurements: 2, change_per_year: expect.closeTo(-1, 2) }
    expect(responses.map(({ status }) => status)).toEqual([201, 201, 200])
    expect(responses.at(-1)?.body).toMatchObject({ name: 'ml.metric_trend', state: 'succeeded', result })

    const { status, stdout } = spawnSync(process.execPath, [join(root, 'bin/memoryguard.js'), ...wordsOf(args)], {
      env: { ...stack.env },
      encoding: 'utf8',
    })
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', result })
  })

  it('gives the task what every task has: checks, history, an end with its reason', async () => {
    const name = 'ml.metric_trend'
    const faulty = await stack.request('POST', '/v1/tasks', { name, args: { user_id: 123, colour: 1 } })
    expect([faulty.status, (faulty.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)]).toEqual([
      422,
      expect.arrayContaining(['/args/metric', '/args/colour']),
    ])
    const failing = { name, args: { user_id: 9, metric: 'mmse_score' } }
    const failed = await stack.request('POST', '/v1/tasks', failing, { prefer: 'wait=20' })
    expect(failed.body).toMatchObject({ state: 'failed', error: { code: 'REQUEST_INVALID' }, retries: 0 })
    const { body } = await stack.request('GET', `/v1/tasks?name=${name}`)
    expect((body['items'] as { state: string }[]).map(({ state }) => state)).toEqual([
      'failed',
      'succeeded',
      'succeeded',
    ])
  })
})
