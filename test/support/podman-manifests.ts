import { parseAllDocuments, stringify } from 'yaml'
import { imageName } from './containers.js'
import type { Container, Manifest, PodSpec } from './manifests.js'

interface ConfigMap {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
}

const images: Readonly<Record<string, string>> = {
  memoryguard: imageName,
  postgres: 'docker.io/library/postgres:18',
  redis: 'docker.io/library/redis:8',
}

const path = { name: 'PATH', value: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }

/** What an image of PostgreSQL needs that starts as root and knows no POSTGRES_PASSWORD_FILE. */
const asRoot = {
  securityContext: {
    readOnlyRootFilesystem: true,
    runAsUser: 0,
    capabilities: { drop: ['ALL'], add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'] },
  },
  command: [
    'sh',
    '-c',
    'POSTGRES_PASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")" exec docker-entrypoint.sh "$@"',
    'postgres',
  ],
}

const containerFor = (container: Container): object => {
  // Podman would bind the ports of all pods on the host, and probe with `curl` in the container.
  const { ports: _, livenessProbe: _probe, ...rest } = container as Container & { readonly ports?: object }
  const [name = ''] = container.image.split(':')
  return {
    ...rest,
    image: images[name],
    env: name === 'memoryguard' ? container.env : [...(container.env ?? []), path],
    ...(name === 'postgres' && asRoot),
  }
}

const podFor = ({ containers, volumes, ...rest }: PodSpec): object => ({
  ...rest,
  containers: containers.map(containerFor),
  // Podman 4 mounts the values of Secrets as they are encoded.
  volumes: volumes.map(({ secret, ...volume }) =>
    secret ? { ...volume, configMap: { name: secret.secretName, items: secret.items } } : volume,
  ),
})

const objectFor = (object: Manifest | ConfigMap): object | undefined => {
  const { kind, metadata } = object
  const common = { apiVersion: 'v1', metadata: { name: metadata.name } }
  if ('data' in object) {
    // Pods have names there, Services do not.
    const moved = ([name, value]: [string, string]) => [name, value.replace(/(-postgresql|-redis):/, '$1-pod-0:')]
    return { ...common, kind, data: Object.fromEntries(Object.entries(object.data).map(moved)) }
  }
  if (kind === 'PersistentVolumeClaim') return { ...object, metadata: common.metadata }
  if (kind !== 'Deployment' && kind !== 'Job') return undefined
  const { template } = object.spec
  const pod = podFor(template.spec)
  if (kind === 'Job') return { ...common, kind: 'Pod', spec: { ...pod, restartPolicy: 'OnFailure' } }
  const spec = { ...object.spec, template: { ...template, spec: pod } }
  return { ...common, apiVersion: 'apps/v1', kind, spec }
}

/** Manifests for `podman kube play`, which knows no Services, Jobs and ports of probes, with the Secrets they name. */
export const forPodman = (text: string, secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): string =>
  [
    ...Object.entries(secrets).map(([name, data]) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data,
    })),
    ...parseAllDocuments(text).map((document) => objectFor(document.toJS() as Manifest | ConfigMap)),
  ]
    .filter((object) => object !== undefined)
    .map((object) => stringify(object))
    .join('---\n')
