import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { it } from 'vitest'
import { ChildProcessHandle } from '../../libs/ml/src/runtime/child-process-handle.js'
import { waitFor } from '../support/wait-for.js'

it('E5: what a compute child prints reaches its parent, which logs it, and not the output of the service', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-child-'))
  const script = join(folder, 'child.mjs')
  writeFileSync(script, `process.stdout.write('one\\n'); process.stderr.write('two\\n'); setInterval(() => 0, 1000)`)
  let printed = ''
  const child = new ChildProcessHandle(
    pathToFileURL(script),
    () => undefined,
    (text) => (printed += text),
  )
  try {
    await waitFor(() => printed.includes('one\n') && printed.includes('two\n'), { what: 'both lines' })
  } finally {
    await child.kill()
    rmSync(folder, { recursive: true })
  }
})
