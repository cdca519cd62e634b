/** Builds the console into `dist/apps/console`, which the api serves. Part of `npm run build`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = new URL('..', import.meta.url)

await build({ configFile: fileURLToPath(new URL('apps/console/vite.config.ts', root)), logLevel: 'error' })

// The api sends these as they are, instead of compressing each response.
const assets = new URL('dist/apps/console/assets/', root)
for (const name of readdirSync(assets).filter((file) => /\.(js|css)$/.test(file))) {
  const bytes = readFileSync(new URL(name, assets))
  writeFileSync(new URL(`${name}.gz`, assets), gzipSync(bytes, { level: 9 }))
  writeFileSync(new URL(`${name}.br`, assets), brotliCompressSync(bytes))
}

// The last step of a build: `npm start` builds what is older than this.
writeFileSync(new URL('dist/.built', root), '')
