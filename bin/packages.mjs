/**
 * The packages of the built product, as the lock file has them: those in the bundle of the program, those that stay
 * packages of their own beside it, and those in the files of the console.
 */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const pathOf = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))
const readJson = (file) => JSON.parse(readFileSync(pathOf(file), 'utf8'))

/** The folders of the packages in the bundle; written by `bin/bundle.mjs`. */
export const bundledPackages = 'dist/bin/packages.json'

/** Stay packages beside the bundle: they carry native or other files, or start threads from files of their own. */
export const separatePackages = ['onnxruntime-node', 'pino', 'swagger-ui-dist']

/** Called only by the install script of onnxruntime-node, which downloads libraries for GPUs. */
const installOnly = new Set(['adm-zip', 'global-agent'])

/** What builds the console and is not in it. */
const isTool = (name) => /^(vite$|@vitejs\/|@types\/)/.test(name)

/** The folder of a package as another one, in `from`, finds it. */
const resolve = (packages, name, from) => {
  for (let folder = from; ; folder = posix.dirname(folder)) {
    const path = posix.join(folder, 'node_modules', name)
    if (packages[path]) return path
    if (folder === '.') return undefined
  }
}

/** The folders of packages and of all that they depend on. */
const closureOf = (packages, names, from = '.') => {
  const found = new Set()
  const visit = (name, folder) => {
    const path = resolve(packages, name, folder)
    if (path === undefined || found.has(path) || installOnly.has(name)) return
    found.add(path)
    for (const needed of Object.keys(packages[path].dependencies ?? {})) visit(needed, path)
  }
  for (const name of names) visit(name, from)
  return [...found]
}

/** The folders of the packages that stay beside the bundle, and of what they need at run time. */
export const separateFolders = () => closureOf(readJson('package-lock.json').packages, separatePackages)

/** Every package of the image, by name and version. Needs the build. */
export const shippedPackages = () => {
  const { packages } = readJson('package-lock.json')
  const ofConsole = Object.keys(readJson('apps/console/package.json').devDependencies).filter((name) => !isTool(name))
  const folders = new Set([
    ...readJson(bundledPackages),
    ...closureOf(packages, separatePackages),
    ...closureOf(packages, ofConsole, 'apps/console'),
  ])
  return [...folders].toSorted().map((folder) => {
    const { version, license } = packages[folder]
    return { folder: pathOf(folder), name: folder.slice(folder.lastIndexOf('node_modules/') + 13), version, license }
  })
}
