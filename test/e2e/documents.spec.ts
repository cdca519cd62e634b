import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, commandsOf, documents, documentText } from '../support/document-commands.js'
import { main } from '../support/run-command.js'
import { startStack, type Stack } from '../support/stack.js'

/** Commands that this file does not run: of which documents, which, and what runs them or why nothing does. */
const leftOut: readonly (readonly [RegExp, RegExp, string])[] = [
  [/./, /^npm (install|test|run (build|check|generate|test:\w+))\b/, '.ci/run'],
  [/^README/, /./, 'test/e2e/readme.spec.ts'],
  [/adding-a-model/, /./, 'test/e2e/adding-a-model.spec.ts'],
  [/adding-a-task/, /./, 'test/e2e/adding-a-task.spec.ts'],
  [/migrating-from-celery/, /./, 'test/e2e/migrating-from-celery.spec.ts'],
  [/upgrading/, /^(pg_dump|createdb|pg_restore|psql) /, 'test/e2e/restore.spec.ts'],
  [/kubernetes|upgrading/, /^(helm|kubectl) /, 'needs a cluster'],
  [/containers|kubernetes|releases|upgrading/, /^docker /, 'needs a container engine; test/containers does the same'],
  [/releases/, /^git tag /, 'makes a release'],
]
const reasonOf = (path: string, command: string) =>
  leftOut.find(([document, pattern]) => document.test(path) && pattern.test(command))?.[2]

/** Blocks of settings for `.env`. */
const settingsOf = (text: string): readonly Record<string, string>[] =>
  blocksOf(text, 'sh')
    .map((block) => block.split('\n').map((line) => /^([A-Z_]+)=(\S+)$/.exec(line)?.slice(1, 3)))
    .filter((pairs): pairs is [string, string][] => pairs.every((pair) => pair !== undefined))
    .map((pairs) => Object.fromEntries(pairs))
const isSetting = (command: string) => /^[A-Z_]+=\S+$/.test(command)

/** The commands that are run here, by document. */
const own = documents
  .map((path) => ({
    path,
    commands: commandsOf(documentText(path)).filter((command) => reasonOf(path, command) === undefined),
  }))
  .filter(({ commands }) => commands.length > 0)

it('what is left out is there, and named by what runs it', () => {
  for (const [document, pattern, reason] of leftOut) {
    const read = documents.filter((path) => document.test(path))
    expect(read.flatMap((path) => commandsOf(documentText(path))).some((command) => pattern.test(command))).toBe(true)
    if (!reason.endsWith('.spec.ts')) continue
    const spec = fileURLToPath(new URL(`../../${reason}`, import.meta.url))
    expect(existsSync(spec) && readFileSync(spec, 'utf8')).toContain(read[0])
  }
})

describe('the commands of the documents, as printed', () => {
  let stack: Stack
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-documents-'))
    stack = await startStack({ broker: 'postgres', env: { WORKER_CONCURRENCY: '1' } })
    mkdirSync(join(folder, '.memoryguard'))
    mkdirSync(join(folder, 'bin'))
    writeFileSync(join(folder, '.memoryguard/admin-key'), stack.key)
    writeFileSync(join(folder, 'people.csv'), 'user_id,mmse_score,age\n1,24,72\n2,28,66\n')
    // The product of this repository, and a response with an error is an error.
    const programs = {
      npx: `shift; exec '${process.execPath}' '${main}' "$@"`,
      curl: `PATH="\${PATH#*:}"; exec curl --fail-with-body "$@"`,
    }
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder, 'bin', name), 0o755)
    }
  })
  afterAll(async () => {
    await stack.stop()
    rmSync(folder, { recursive: true })
  })

  /** Runs commands in one shell, until one fails. */
  const run = async (commands: readonly string[]) => {
    const script = commands
      .join('\n')
      .replaceAll('http://127.0.0.1:3000', stack.url)
      .replaceAll('/safe/place/', `${folder}/`)
    const env = { ...stack.env, PATH: `${folder}/bin:${process.env['PATH']}`, URL: stack.url, KEY: stack.key }
    const child = spawn('sh', ['-eu'], { cwd: folder, env, stdio: ['pipe', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stdin.end(script)
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, output }
  }

  it.each(own)('$path', async ({ path, commands }) => {
    const secret = join(folder, 'secret')
    writeFileSync(secret, 'secret')
    for (const settings of settingsOf(documentText(path))) {
      const values = Object.entries(settings).map(([name, value]) => [name, name.endsWith('_FILE') ? secret : value])
      expect(loadConfig({ ...Object.fromEntries(values), DATABASE_URL: stack.databaseUrl })).toBeDefined()
    }
    const { code, output } = await run(commands.filter((command) => !isSetting(command)))
    expect(code, output).toBe(0)
  })

  it('fail where they are wrong', async () => {
    expect(await run(['npx memoryguard schedules show nobody'])).toMatchObject({ code: 1 })
    expect((await run(['curl -s http://127.0.0.1:3000/v1/tasks', 'echo after'])).output).not.toContain('after')
  })
})
