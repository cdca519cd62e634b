#!/usr/bin/env -S node --max-semi-space-size=8
import { existsSync } from 'node:fs'

const main = new URL('../dist/apps/cli/src/main.js', import.meta.url)

if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write(
    'MemoryGuard is not built yet: run "npm start" (it builds and starts), or "npm install && npm run build".\n',
  )
  process.exitCode = 1
}
