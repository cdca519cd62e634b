import { z } from 'zod'
import { queueNames, variables } from '../dist/libs/platform/src/index.js'

const strict = (properties, required) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required && { required }),
})
const text = { type: 'string' }
const flag = { type: 'boolean' }
const count = (minimum, maximum) => ({ type: 'integer', minimum, maximum })
const texts = { type: 'object', additionalProperties: text }
const objects = { type: 'array', items: { type: 'object' } }
const name = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$' }
const nameOrEmpty = { type: 'string', pattern: '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$' }
const tag = { type: 'string', pattern: '^[\\w.-]{0,128}$' }
const key = { type: 'string', pattern: '^[-._a-zA-Z0-9]{1,253}$' }
const quantity = {
  type: ['string', 'number'],
  pattern: '^[0-9]+([.][0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$',
  exclusiveMinimum: 0,
}
const amounts = strict({ cpu: quantity, memory: quantity, 'ephemeral-storage': quantity })
const resources = strict({ requests: amounts, limits: amounts })
const secretKey = strict({ name, key }, ['name', 'key'])
const scheduling = {
  podAnnotations: texts,
  nodeSelector: texts,
  tolerations: objects,
  affinity: { type: 'object' },
}
const peers = { ...objects, description: 'Peers of a NetworkPolicy' }
const port = count(1, 65_535)
const ports = { type: 'array', items: port }

const worker = strict({
  enabled: flag,
  replicas: count(0, 1_000),
  concurrency: count(1, 256),
  resources,
  minReplicas: count(0, 1_000),
  maxReplicas: count(1, 1_000),
  ...scheduling,
})

const server = strict({
  bundled: flag,
  image: { type: 'string', pattern: '^[^\\s]+$' },
  storage: quantity,
  storageClass: nameOrEmpty,
  resources,
})

/** Settings that the chart makes from other values. */
const ownSettings = [
  'HOST',
  'PORT',
  'MEMORYGUARD_HOME',
  'MODELS_DIR',
  'SHUTDOWN_DELAY_SECONDS',
  'WORKER_QUEUES',
  'WORKER_NAME',
  'WORKER_HEALTH_PORT',
  'WORKER_CONCURRENCY',
]

const isUrl = (variable) => /_(URL|BACKEND|ISSUER|ENDPOINT)$/.test(variable)

/** How URLs begin, by their settings. */
const urlPatterns = {
  DATABASE: '^(postgres(ql)?://|\\s*\\w+\\s*=)',
  BROKER: '^rediss?(\\+cluster|\\+sentinel)?://',
  CELERY: '^rediss?(\\+sentinel)?://',
  PUBLIC: '^https?://',
  OIDC: '^https?://',
  OTEL: '^https?://',
}

/** What may stand in `config` for a variable: a number as such, a list as the text that the variable holds. */
const settingSchema = (variable, { schema, description }) => {
  const { type, enum: values, minimum, maximum } = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'output' })
  if (type === 'integer' || type === 'number') return { description, type, minimum, maximum }
  if (values?.join() === 'true,false') return { description, enum: [...values, true, false] }
  if (values) return { description, enum: values }
  const pattern = isUrl(variable) ? urlPatterns[variable.split('_')[0]] : undefined
  return { description, type: 'string', minLength: 1, ...(pattern && { pattern }) }
}

const settingSchemas = () =>
  Object.fromEntries(
    Object.entries(variables)
      .filter(([variable, { secret }]) => !ownSettings.includes(variable) && (!secret || isUrl(variable)))
      .map(([variable, setting]) => [variable, settingSchema(variable, setting)]),
  )

const secretSchemas = () =>
  Object.fromEntries(
    Object.entries(variables)
      .filter(([, { secret }]) => secret)
      .map(([variable, { description }]) => [variable, { description, ...secretKey }]),
  )

/** The schema of the values of the Helm chart. */
export const chartSchema = () => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Values of the MemoryGuard chart',
  ...strict({
    global: { type: 'object' },
    nameOverride: nameOrEmpty,
    fullnameOverride: { type: 'string', pattern: '^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$' },
    image: strict({
      repository: { type: 'string', pattern: '^([\\w.-]+(:[0-9]+)?/)?[a-z0-9._-]+(/[a-z0-9._-]+)*$' },
      tag,
      digest: { type: 'string', pattern: '^(sha256:[a-f0-9]{64})?$' },
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
      pullSecrets: { type: 'array', items: name },
    }),
    config: strict(settingSchemas()),
    secrets: strict(secretSchemas()),
    certificates: strict({ configMap: nameOrEmpty, key }),
    models: strict({ persistentVolumeClaim: nameOrEmpty }),
    api: strict({
      replicas: count(1, 1_000),
      imageTag: tag,
      shutdownDelaySeconds: count(0, 3_600),
      resources,
      service: strict({
        type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
        port,
        annotations: texts,
      }),
      ...scheduling,
    }),
    workers: strict(Object.fromEntries(queueNames.map((queue) => [queue, worker]))),
    migration: strict({
      hook: flag,
      backoffLimit: count(0, 100),
      activeDeadlineSeconds: count(60, 604_800),
      ttlSecondsAfterFinished: count(0, 31_536_000),
      resources,
    }),
    postgresql: server,
    redis: server,
    ingress: strict({
      enabled: flag,
      className: nameOrEmpty,
      host: nameOrEmpty,
      tlsSecret: nameOrEmpty,
      annotations: texts,
    }),
    podDisruptionBudget: strict({ enabled: flag }),
    networkPolicy: strict({
      enabled: flag,
      apiFrom: peers,
      metricsFrom: peers,
      databaseTo: peers,
      brokerTo: peers,
      celeryTo: peers,
      databasePorts: ports,
      brokerPorts: ports,
      celeryPorts: ports,
      webhookPorts: ports,
      extraEgress: objects,
    }),
    monitoring: strict({
      enabled: flag,
      labels: texts,
      interval: { type: 'string', pattern: '^[0-9]+(ms|s|m)$' },
      dashboard: flag,
      dashboardLabels: texts,
    }),
    keda: strict({
      enabled: flag,
      secret: strict({ name: nameOrEmpty, key }),
      targetSeconds: count(1, 86_400),
      pollingInterval: count(1, 3_600),
      cooldownPeriod: count(0, 86_400),
    }),
    serviceAccount: strict({ annotations: texts }),
  }),
})
