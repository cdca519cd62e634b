#!/usr/bin/env -S node --max-semi-space-size=16 --single-threaded-gc --no-allocation-site-pretenuring --heap-growing-percent=20 --v8-pool-size=1
import { existsSync } from 'node:fs'

const main = new URL('../dist/bin/memoryguard.js', import.meta.url)

if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write(
    'MemoryGuard is not built yet: run "npm start" (it builds and starts), or "npm install && npm run build".\n',
  )
  process.exitCode = 1
}
