import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'

/** What tests read of a probe. */
export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

/** What tests read of a container. */
export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly securityContext: object
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}

/** What tests read of a pod. */
export interface PodSpec {
  readonly containers: readonly [Container]
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext: object
  readonly volumes: readonly {
    readonly name: string
    readonly secret?: { readonly secretName: string; readonly items: readonly { readonly path: string }[] }
  }[]
}

/** What tests read of an object of Kubernetes. */
export interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: {
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec }
    readonly scaleTargetRef?: { readonly name: string }
    readonly triggers?: readonly { readonly metadata: { readonly url: string; readonly valueLocation: string } }[]
    readonly selector?: object
    readonly egress?: readonly { readonly ports: readonly { readonly port: number }[] }[]
  }
}

/** The objects of deploy/kustomize with one component, and the settings of all processes. */
export interface Manifests {
  readonly objects: readonly Manifest[]
  readonly settings: Readonly<Record<string, string>>
}

interface Operation {
  readonly op: 'add' | 'replace' | 'remove'
  readonly path: string
  readonly value?: unknown
}

interface Component {
  readonly resources?: readonly string[]
  readonly configMapGenerator?: readonly object[]
  readonly patches?: readonly { readonly target: { kind: string; name: string }; readonly patch: string }[]
}

const textOf = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../deploy/kustomize/${path}`, import.meta.url)), 'utf8')

const readObjects = (path: string): Manifest[] =>
  parseAllDocuments(textOf(path)).map((document) => document.toJS() as Manifest)

const readSettings = (path: string): Record<string, string> =>
  Object.fromEntries(
    textOf(path)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/=(.*)/s, 2) as [string, string]),
  )

const apply = (object: object, { op, path, value }: Operation): void => {
  const parts = path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = parts.pop() ?? ''
  const parent = parts.reduce((at, part) => Reflect.get(at, part) as object, object)
  if (op === 'remove') Reflect.deleteProperty(parent, last)
  else Reflect.set(parent, last, value)
}

/** Reads the base and one component of it, as Kustomize puts them together. */
export const readManifests = (component: string): Manifests => {
  const objects = readObjects('base/resources.yaml')
  const folder = `components/${component}`
  const { resources, configMapGenerator, patches = [] } = parse(textOf(`${folder}/kustomization.yaml`)) as Component
  for (const { target, patch } of patches) {
    const object = objects.find(({ kind, metadata }) => kind === target.kind && metadata.name === target.name)
    if (!object) throw new Error(`${folder} changes ${target.kind}/${target.name}, which the base has not`)
    for (const operation of parse(patch) as Operation[]) apply(object, operation)
  }
  return {
    objects: [...objects, ...(resources ? readObjects(`${folder}/resources.yaml`) : [])],
    settings: {
      ...readSettings('base/config.env'),
      ...(configMapGenerator && readSettings(`${folder}/config.env`)),
    },
  }
}
