/**
 * Puts the files of the image into the folder given as argument: the bundle, the console, the models, and of the
 * packages only those that stay beside the bundle. Called by deploy/Dockerfile after `npm run build`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { separateFolders, shippedPackages } from './packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const [target] = process.argv.slice(2)
if (!target) throw new Error('Name the folder for the files of the image: node bin/image.mjs FOLDER')

const files = [
  'bin/memoryguard.js',
  'bin/healthcheck.mjs',
  'bin/compose-secrets.mjs',
  'dist/bin',
  'dist/apps/console',
  'models',
  'package.json',
  'THIRD-PARTY-NOTICES.txt',
]

/** What nothing reads at run time: declarations, maps, tests, and variants of the Swagger UI. */
const unused = /\.(map|d\.[cm]?ts)$|^(test|docs|benchmarks|examples|script)(\/|$)|^swagger-ui(-es-bundle.*|)\.js$/
/** Libraries of onnxruntime for other systems than this one. */
const isForeign = (path) => {
  const [, system, cpu] = /^bin\/napi-v\d+\/(\w+)(?:\/(\w+))?/.exec(path) ?? []
  return system !== undefined && (system !== process.platform || (cpu !== undefined && cpu !== process.arch))
}

for (const file of files)
  cpSync(join(root, file), join(target, file), {
    recursive: true,
    filter: (source) => relative(root, source) !== 'models/training',
  })
for (const folder of separateFolders()) {
  const source = join(root, folder)
  const isUsed = (path) => !unused.test(path) && !isForeign(path) && !path.startsWith('node_modules')
  cpSync(source, join(target, folder), { recursive: true, filter: (path) => isUsed(relative(source, path)) })
}
chmodSync(join(target, 'bin/memoryguard.js'), 0o755)

const shipped = new Set(shippedPackages().map(({ name, version }) => `${name}@${version}`))
const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only']
const sbom = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1_048_576 }))
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
sbom.metadata.component.name = name
sbom.components = sbom.components.filter((component) => shipped.has(`${component.name}@${component.version}`))
const kept = new Set(sbom.components.map((component) => component['bom-ref']))
sbom.dependencies = sbom.dependencies
  .filter(({ ref }) => ref === `${name}@${version}` || kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((needed) => kept.has(needed)) }))
writeFileSync(join(target, 'sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 2)}\n`)
