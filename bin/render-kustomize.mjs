/**
 * Renders deploy/kustomize from the Helm chart: the base, and a component with what changes for each group of values.
 * With --check it writes nothing and fails if a file differs. Needs `helm` on the search path, or its path in HELM.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { format, resolveConfig } from 'prettier'
import { parseAllDocuments, stringify } from 'yaml'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'deploy/kustomize')
const note = '# Made from deploy/helm/memoryguard by bin/render-kustomize.mjs: change the chart, not this file.\n'

const database = {
  config: { DATABASE_URL: 'postgresql://memoryguard@postgres.example.org:5432/memoryguard' },
}
const common = {
  migration: { hook: false },
  secrets: {
    DATABASE_PASSWORD: { name: 'memoryguard-database', key: 'password' },
    ADMIN_API_KEY: { name: 'memoryguard-admin', key: 'key' },
  },
}
const broker = { secrets: { BROKER_PASSWORD: { name: 'memoryguard-broker', key: 'password' } } }

/** The values that make each component. */
const components = {
  redis: [database, { config: { BROKER_URL: 'redis://redis.example.org:6379/0' } }, broker],
  bundled: [{ postgresql: { bundled: true }, redis: { bundled: true } }, broker],
  keda: [database, { keda: { enabled: true, secret: { name: 'memoryguard-keda' } } }],
  monitoring: [database, { monitoring: { enabled: true } }],
}

/** The components of each overlay. */
const overlays = {
  redis: ['redis'],
  keda: ['keda'],
  monitoring: ['monitoring'],
  production: ['redis', 'keda', 'monitoring'],
  trial: ['bundled'],
}

const withoutHelm = (object) => {
  for (const part of [object, object.spec?.template, object.spec?.jobTemplate]) {
    delete part?.metadata?.labels?.['app.kubernetes.io/managed-by']
    delete part?.metadata?.labels?.['helm.sh/chart']
    delete part?.metadata?.annotations?.['helm.sh/resource-policy']
    // Kustomize gives a ConfigMap a new name whenever it changes.
    delete part?.metadata?.annotations?.['checksum/config']
    if (Object.keys(part?.metadata?.annotations ?? { none: 0 }).length === 0) delete part.metadata.annotations
  }
  // A new Job has a new name in the chart; here it is deleted before one applies it again.
  if (object.kind === 'Job') object.metadata.name = object.metadata.name.replace(/-[0-9a-f]{8}$/, '')
  return object
}

const idOf = ({ kind, metadata: { name } }) => `${kind}/${name}`

/** The objects of the chart with some values, by kind and name, and the settings of its ConfigMap. */
const render = (values) => {
  const merged = {}
  for (const each of [common, ...values]) {
    for (const [name, value] of Object.entries(each)) merged[name] = { ...merged[name], ...value }
  }
  const chart = join(root, 'deploy/helm/memoryguard')
  const args = [
    'template',
    'memoryguard',
    chart,
    '--namespace',
    'memoryguard',
    '--kube-version',
    '1.37.0',
    '--values',
    '-',
  ]
  const output = execFileSync(process.env.HELM ?? 'helm', args, {
    input: JSON.stringify(merged),
    encoding: 'utf8',
    // Helm notes symbolic links there; an error holds what it wrote.
    stdio: 'pipe',
  })
  const objects = parseAllDocuments(output)
    .map((document) => document.toJS())
    .filter((object) => object !== null)
    .map(withoutHelm)
  const isSettings = (object) => idOf(object) === 'ConfigMap/memoryguard'
  return {
    settings: objects.find(isSettings).data,
    objects: new Map(objects.filter((object) => !isSettings(object)).map((object) => [idOf(object), object])),
  }
}

const isObject = (value) => typeof value === 'object' && value !== null
const escape = (part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1')

/** The JSON patch that makes `after` of `before`; a list of another length is replaced. */
const diff = (before, after, path = '') => {
  if (isDeepStrictEqual(before, after)) return []
  const isAlike = isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)
  if (!isAlike || (Array.isArray(before) && before.length !== after.length)) {
    return [{ op: 'replace', path, value: after }]
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const at = `${path}/${escape(name)}`
    if (!(name in after)) return [{ op: 'remove', path: at }]
    if (!(name in before)) return [{ op: 'add', path: at, value: after[name] }]
    return diff(before[name], after[name], at)
  })
}

const environment = (settings) =>
  note +
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')

const documents = (objects) => note + objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n')
const document = (object) => note + stringify(object, { lineWidth: 0 })

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'memoryguard', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
}

const baseFiles = ({ settings, objects }) => ({
  'base/config.env': environment(settings),
  'base/resources.yaml': documents([namespace, ...objects.values()]),
  'base/kustomization.yaml': document({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'memoryguard',
    resources: ['resources.yaml'],
    configMapGenerator: [{ name: 'memoryguard', envs: ['config.env'] }],
  }),
})

const componentFiles = (name, base, { settings, objects }) => {
  const changed = Object.entries(settings).filter(([variable, value]) => base.settings[variable] !== value)
  const added = [...objects].filter(([id]) => !base.objects.has(id)).map(([, object]) => object)
  const gone = [...base.objects.keys()].filter((id) => !objects.has(id))
  if (gone.length > 0) throw new Error(`The component ${name} lacks ${gone.join(', ')} of the base`)
  const patches = [...objects]
    .filter(([id]) => base.objects.has(id))
    .map(([id, object]) => [object, diff(base.objects.get(id), object)])
    .filter(([, patch]) => patch.length > 0)
    .map(([object, patch]) => ({
      target: { kind: object.kind, name: object.metadata.name },
      patch: stringify(patch, { lineWidth: 0 }),
    }))
  return {
    ...(added.length > 0 && { [`components/${name}/resources.yaml`]: documents(added) }),
    ...(changed.length > 0 && { [`components/${name}/config.env`]: environment(Object.fromEntries(changed)) }),
    [`components/${name}/kustomization.yaml`]: document({
      apiVersion: 'kustomize.config.k8s.io/v1alpha1',
      kind: 'Component',
      ...(added.length > 0 && { resources: ['resources.yaml'] }),
      ...(changed.length > 0 && {
        configMapGenerator: [{ name: 'memoryguard', behavior: 'merge', envs: ['config.env'] }],
      }),
      ...(patches.length > 0 && { patches }),
    }),
  }
}

const overlayFiles = (name, parts) => ({
  [`overlays/${name}/kustomization.yaml`]: document({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'memoryguard',
    resources: ['../../base'],
    components: parts.map((part) => `../../components/${part}`),
  }),
})

const base = render([database])
const files = Object.assign(
  baseFiles(base),
  ...Object.entries(components).map(([name, values]) => componentFiles(name, base, render(values))),
  ...Object.entries(overlays).map(([name, parts]) => overlayFiles(name, parts)),
)
for (const [file, text] of Object.entries(files)) {
  const filepath = join(target, file)
  if (file.endsWith('.yaml')) files[file] = await format(text, { ...(await resolveConfig(filepath)), filepath })
}

const present = new Map(
  readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => [path.slice(target.length + 1), readFileSync(path, 'utf8')]),
)
const stale = [...new Set([...present.keys(), ...Object.keys(files)])].filter(
  (file) => present.get(file) !== files[file],
)
for (const file of stale) {
  const path = join(target, file)
  if (process.argv.includes('--check')) {
    process.stderr.write(`deploy/kustomize/${file} is not what the chart makes: run "npm run render" and commit it\n`)
    process.exitCode = 1
  } else if (files[file] === undefined) rmSync(path)
  else {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, files[file])
  }
}
