import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { queueNames } from '#libs/platform'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { blocksOf } from '../support/document-commands.js'
import type { Manifest } from '../support/manifests.js'

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const helm = process.env['HELM'] ?? 'helm'
const hasHelm = spawnSync(helm, ['version']).status === 0

describe.skipIf(!hasHelm)('the chart', () => {
  const chart = pathOf('deploy/helm/memoryguard')
  const templateArgs = ['template', 'x', chart, '--kube-version', '1.37.0']
  const template = (...values: readonly string[]) => {
    const set = values.flatMap((value) => ['--set', value])
    return spawnSync(helm, [...templateArgs, ...set], { encoding: 'utf8' })
  }

  it('has no faults, and makes the manifests', () => {
    const lint = spawnSync(helm, ['lint', '--strict', chart, '--set', 'postgresql.bundled=true'], { encoding: 'utf8' })
    expect([lint.status, lint.stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')])
    const render = spawnSync(process.execPath, [pathOf('bin/render-kustomize.mjs'), '--check'], { encoding: 'utf8' })
    expect([render.status, render.stderr]).toEqual([0, ''])
  })

  it('takes the values of the documentation', () => {
    const page = readFileSync(pathOf('docs/kubernetes.md'), 'utf8')
    const [values = ''] = blocksOf(page, 'yaml')
    const input = { input: values, encoding: 'utf8' } as const
    const { status, stderr } = spawnSync(helm, [...templateArgs, '--values', '-'], input)
    expect(status, stderr).toBe(0)
  })

  const external =
    'config.DATABASE_URL=postgres://a@b/c,secrets.DATABASE_PASSWORD.name=d,secrets.DATABASE_PASSWORD.key=p'
  const bundled = 'postgresql.bundled=true'
  const objectsOf = (...values: readonly string[]) => {
    const { status, stdout, stderr } = template(...values)
    expect(status, stderr).toBe(0)
    return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Manifest | null) ?? [])
  }

  it.each([
    ['several hosts and IPv6', ['config.DATABASE_URL=postgres://a@b@h:1\\,[fd00::0:5]:6432\\,i/c'], [1, 5432, 6432]],
    [
      'a pooler and its database',
      ['config.DATABASE_URL=postgres://p:1/c,config.DATABASE_DIRECT_URL=postgres://d/c'],
      [1, 5432],
    ],
    ['keywords', ['config.DATABASE_URL=host=b port=1,networkPolicy.databasePorts={1}'], [1]],
    ['sentinels', ['config.BROKER_URL=redis+sentinel://h\\,i:1/m'], [1, 5432, 6379, 26_379]],
    ['a broker in a Secret', ['secrets.BROKER_URL.name=a,secrets.BROKER_URL.key=b'], [5432, 6379, 26_379]],
    ['Celery', ['config.CELERY_BROKER_URL=rediss://h:1/1,config.CELERY_RESULT_BACKEND=redis://h:2/1'], [1, 2, 5432]],
    ['a collector', ['config.OTEL_EXPORTER_OTLP_ENDPOINT=https://h/x'], [443, 5432]],
  ])('opens the ports of %s, and only those', (_, values, ports) => {
    const policy = objectsOf(external, ...values).find(({ metadata }) => metadata.name === 'x-memoryguard-egress')
    const opened = policy?.spec.egress?.flatMap((rule) => rule.ports.map(({ port }) => port)) ?? []
    expect(opened.filter((port) => port !== 53).sort((a, b) => a - b)).toEqual(ports)
  })

  it('gives the migration what the broker needs, and a new name with each change where it is no hook', () => {
    const password = 'secrets.BROKER_SENTINEL_PASSWORD'
    const jobOf = (...values: readonly string[]) =>
      objectsOf(external, ...values).find(({ kind }) => kind === 'Job') as Manifest
    const hook = jobOf(`config.BROKER_URL=redis+sentinel://h/m,${password}.name=s,${password}.key=p`)
    expect(hook.spec.template.spec.containers[0].env).toContainEqual({
      name: 'BROKER_SENTINEL_PASSWORD_FILE',
      value: '/etc/memoryguard/broker-sentinel-password/p',
    })
    expect(hook.metadata.name).toBe('x-memoryguard-migrate')
    const names = ['image.tag=a', 'image.tag=a', 'image.tag=b', 'image.tag=b,config.LOG_LEVEL=debug'].map(
      (value) => jobOf('migration.hook=false', value).metadata.name,
    )
    expect(names[0]).toBe(names[1])
    expect(new Set(names).size).toBe(3)
  })

  it.each([
    ['no database', [], 'The database is missing: set config.DATABASE_URL'],
    ['no Secret', ['config.DATABASE_URL=postgres://a@b/c'], 'secrets.DATABASE_PASSWORD is missing: make a Secret'],
    ['a password in a URL', ['config.DATABASE_URL=postgres://a:b@c/d'], 'config.DATABASE_URL must hold no password'],
    ['a password in keywords', ['config.DATABASE_URL=host=c password=b'], 'config.DATABASE_URL must hold no password'],
    ['a password in options', ['config.DATABASE_URL=postgres://c/d?password=b'], 'secrets.DATABASE_PASSWORD'],
    ['a password with /', ['config.DATABASE_URL=postgres://a:p/q@c/d'], 'config.DATABASE_URL must hold no password'],
    [
      "sentinels' password",
      [`${bundled},config.BROKER_URL=redis+sentinel://c/m?sentinel_password=b`],
      'that of sentinels',
    ],
    ["Celery's password", [`${bundled},config.CELERY_BROKER_URL=redis://:b@c`], 'it in secrets.CELERY_BROKER_URL.'],
    [
      "a collector's key",
      [`${bundled},config.OTEL_EXPORTER_OTLP_ENDPOINT=https://b@c`],
      'secrets.OTEL_EXPORTER_OTLP_HEADERS',
    ],
    ['ports that it cannot read', [`${external},config.DATABASE_URL=host=c port=1`], 'set networkPolicy.databasePorts'],
    [
      'a password of no broker',
      [`${bundled},secrets.BROKER_PASSWORD.name=a,secrets.BROKER_PASSWORD.key=b`],
      'but no broker',
    ],
    [
      'no worker that runs',
      [bundled, ...queueNames.map((queue) => `workers.${queue}.replicas=0`)],
      'No worker would run',
    ],
    ['another broker', [`${bundled},config.BROKER_URL=amqp://c`], "at '/config/BROKER_URL'"],
    [
      'KEDA that does not see calls of Celery',
      [`${bundled},keda.enabled=true,keda.secret.name=a,config.CELERY_BROKER_URL=redis://c`],
      'With CELERY_BROKER_URL set workers.batch.minReplicas',
    ],
    ['two databases', ['postgresql.bundled=true', 'config.DATABASE_URL=postgres://a@c/d'], 'remove one of them'],
    ['KEDA without a key', ['postgresql.bundled=true', 'keda.enabled=true'], 'keda.secret.name is missing'],
    [
      'KEDA that stops every worker',
      ['postgresql.bundled=true', 'keda.enabled=true', 'keda.secret.name=a', 'workers.predictions.minReplicas=0'],
      'would stop the last worker',
    ],
    ['limits that cross', ['postgresql.bundled=true', 'workers.batch.minReplicas=11'], 'must be at most its maxRepl'],
    ['no host', ['postgresql.bundled=true', 'ingress.enabled=true'], 'ingress.host is missing'],
    ['a wrong value', ['postgresql.bundled=true', 'config.LOG_LEVEL=loud'], "must be one of 'fatal', 'error'"],
    ['a number out of range', ['postgresql.bundled=true', 'api.replicas=0'], '/api/replicas'],
    ['an unknown setting', ['postgresql.bundled=true', 'config.LOGLEVEL=info'], "'LOGLEVEL' not allowed"],
    ['an unknown queue', ['postgresql.bundled=true', 'workers.urgent.enabled=true'], "'urgent' not allowed"],
  ])('rejects %s in one sentence', (_, values, words) => {
    const { status, stderr } = template(...values)
    expect(status).toBe(1)
    expect(stderr).toContain(words)
  })
})
