// `npm start`: from a fresh clone to a running MemoryGuard. Plain Node without dependencies, in a syntax that old
// versions of Node can still parse, so that they get to the message about their version.
import { spawn } from 'child_process'
import { existsSync, lstatSync, readFileSync, readdirSync, statSync } from 'fs'
import { join } from 'path'
import { fileURLToPath, pathToFileURL } from 'url'

const root = fileURLToPath(new URL('..', import.meta.url))

assertNodeVersion()
process.chdir(root)
// Not `npm ci`: it refuses a lock file without the packages of platforms that the registry in use does not serve.
// `--no-save` keeps the locked versions and leaves the lock file as it is.
if (isInstallNeeded())
  await run('Installing packages (once)', npm(['install', '--no-save', '--include=dev', '--loglevel=error']))
if (isBuildNeeded()) {
  // Types are checked by `npm run build`; the code that comes out is the same, in half the time.
  await run('Building', [process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--noCheck'])
  await run('Bundling', [process.execPath, join(root, 'bin/bundle.mjs')])
  await run('Building the console', [process.execPath, join(root, 'bin/console.mjs')])
}
process.argv.splice(2, 0, 'start')
await import(pathToFileURL(join(root, 'dist/bin/memoryguard.js')).href)

function assertNodeVersion() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    .engines.node.match(/\d+/g)
    .map(Number)
  const found = process.versions.node.split('.').map(Number)
  if (found[0] > wanted[0] || (found[0] === wanted[0] && found[1] >= wanted[1])) return
  process.stderr.write(
    `MemoryGuard needs Node.js ${wanted.join('.')} or newer; this is ${process.version} (${process.execPath}).\n` +
      'Get a current version from https://nodejs.org and run "npm start" again.\n',
  )
  process.exit(1)
}

function isInstallNeeded() {
  // A linked folder belongs to another checkout, which keeps it up to date: "npm ci" would empty it.
  const folder = join(root, 'node_modules')
  if (existsSync(folder) && lstatSync(folder).isSymbolicLink()) return false
  return modifiedAt('node_modules/.package-lock.json') < modifiedAt('package-lock.json')
}

function isBuildNeeded() {
  const sources = ['package.json', 'package-lock.json', 'tsconfig.json', 'bin/bundle.mjs'].concat(
    ...['apps', 'libs'].map(sourcesBelow),
  )
  const newest = Math.max(...sources.map(modifiedAt))
  return !existsSync(join(root, 'dist/bin/memoryguard.js')) || modifiedAt('dist/.built') < newest
}

function sourcesBelow(folder) {
  const paths = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && entry.name !== 'node_modules') paths.push(...sourcesBelow(path))
    if (entry.isFile() && /\.(ts|tsx|css|html|svg|json)$/.test(entry.name)) paths.push(path)
  }
  return paths
}

/** Milliseconds since 1970, or 0 if there is no such file. */
function modifiedAt(path) {
  const full = join(root, path)
  return existsSync(full) ? statSync(full).mtimeMs : 0
}

/** The npm that runs this script, by the same Node. */
function npm(args) {
  const cli = process.env.npm_execpath
  return cli && cli.endsWith('.js') ? [process.execPath, cli].concat(args) : ['npm'].concat(args)
}

async function run(title, command) {
  const startedAt = Date.now()
  process.stdout.write(`${title} ...\n`)
  const child = spawn(command[0], command.slice(1), {
    cwd: root,
    stdio: 'inherit',
    // Its install script would download GPU libraries; the CPU library is in the package.
    env: Object.assign({}, process.env, { ONNXRUNTIME_NODE_INSTALL: 'skip' }),
  })
  const forward = (signal) => child.kill(signal)
  process.on('SIGTERM', forward).on('SIGINT', forward)
  const outcome = await new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code, signal) => resolve({ code, signal }))
  })
  process.off('SIGTERM', forward).off('SIGINT', forward)
  if (outcome.code !== 0) {
    process.stderr.write(`${title} failed (${outcome.signal || `exit code ${outcome.code}`}).\n`)
    process.exit(1)
  }
  process.stdout.write(`${title} took ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`)
}
