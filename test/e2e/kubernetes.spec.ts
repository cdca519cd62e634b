import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findFreePort, queueNames, serverFlags, variables } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf } from '../support/document-commands.js'
import { readManifests, type Container, type Manifest } from '../support/manifests.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'
import { example } from '../support/requests.js'
import { main, runCommand } from '../support/run-command.js'
import { makePostgresHome, startPostgres, type RestartablePostgres } from '../support/stack-postgres.js'
import { waitFor } from '../support/wait-for.js'

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const { objects, settings } = readManifests('redis')
const ours = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
const deployments = ours.filter(({ kind }) => kind === 'Deployment')
const podOf = ({ spec }: Manifest) => spec.template.spec
const containerOf = (object: Manifest): Container => podOf(object).containers[0]
const valueOf = ({ env }: Container, name: string) => env.find((each) => each.name === name)?.value
const argOf = ({ args = [] }: Container, flag: string) => args[args.indexOf(flag) + 1]

describe('the manifests', () => {
  it('have a worker for each queue', () => {
    const workers = deployments.filter((each) => containerOf(each).args?.[0] === 'worker')
    expect(workers.map((each) => argOf(containerOf(each), '--queues')).sort()).toEqual([...queueNames].sort())
  })

  it.each(ours.map((each) => [each.metadata.name, each] as const))('%s names settings that exist', (_, object) => {
    const { env, volumeMounts } = containerOf(object)
    for (const name of Object.keys(settings)) expect(variables).toHaveProperty(name)
    for (const { name, value } of env) {
      const plain = name.replace(/_FILE$/, '')
      expect(variables).toHaveProperty(plain)
      expect(settings, 'the ConfigMap would hide it under podman').not.toHaveProperty(name)
      if (plain === name) continue
      expect(variables).toHaveProperty(`${plain}.secret`, true)
      const mount = volumeMounts.find(({ mountPath }) => dirname(value) === mountPath)
      const volume = podOf(object).volumes.find((each) => each.name === mount?.name)
      expect(volume?.secret?.items.map(({ path }) => `${mount?.mountPath}/${path}`)).toEqual([value])
    }
  })

  it.each(deployments.map((each) => [each.metadata.name, each] as const))('%s may finish its work', (_, object) => {
    const delay = Number(valueOf(containerOf(object), 'SHUTDOWN_DELAY_SECONDS') ?? 0)
    const work = containerOf(object).args?.[0] === 'worker' ? variables.WORKER_DRAIN_SECONDS.schema.parse(undefined) : 5
    expect(podOf(object).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(delay + work + 10)
    const { periodSeconds = 0, failureThreshold = 0 } = containerOf(object).readinessProbe ?? {}
    if (delay > 0) expect(delay).toBeGreaterThan(periodSeconds * failureThreshold)
  })

  it.each(ours.map((each) => [each.metadata.name, each] as const))('%s is confined', (_, object) => {
    expect(podOf(object)).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(containerOf(object)).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      resources: { requests: expect.anything() as unknown, limits: expect.anything() as unknown },
    })
  })

  it('scale each worker, and only those', () => {
    const { objects: scaled } = readManifests('keda')
    const targets = scaled.flatMap(({ spec }) => spec?.scaleTargetRef?.name ?? []).sort()
    const workers = scaled.filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name.includes('-worker-'))
    expect(targets).toEqual(workers.map(({ metadata }) => metadata.name).sort())
    for (const { spec } of workers) expect(spec).not.toHaveProperty('replicas')
  })
})

/** A container's command line as a process of this machine. */
interface Run {
  readonly name: string
  readonly container: Container
  readonly url: string
  readonly env: NodeJS.ProcessEnv
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly output: () => string
}

describe('the command lines of the manifests', () => {
  let folder: string
  let postgres: RestartablePostgres
  let redis: RedisServer
  const runs: Run[] = []
  const adminKey = 'mg_Kx7Lw2Vn9Rt4Zc6Yb1Dj8Qe'
  const password = 'a password: of Redis'

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-kubernetes-'))
    ;[postgres, redis] = await Promise.all([
      startPostgres(makePostgresHome(), false),
      startRedis(['--requirepass', password]),
    ])
    const secrets = {
      'database-password/password': decodeURIComponent(new URL(postgres.url).password),
      'broker-password/password': password,
      'admin-api-key/key': adminKey,
    }
    for (const [path, text] of Object.entries(secrets)) {
      mkdirSync(join(folder, dirname(path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
  })
  afterAll(async () => {
    for (const { child } of runs) child.kill('SIGKILL')
    await redis.stop()
    await postgres.stop()
    rmSync(folder, { recursive: true })
  })

  /** A URL of the manifests with the address of a server of this test. */
  const moved = (url: string | undefined, server: string) => {
    const { host, pathname } = new URL(server)
    return Object.assign(new URL(url ?? ''), { host, ...(url?.startsWith('postgres') && { pathname }) }).href
  }

  const run = async (object: Manifest): Promise<Run> => {
    const container = containerOf(object)
    const port = String(await findFreePort('127.0.0.1'))
    const own = container.env.map(({ name, value }) => [name, value.replace('/etc/memoryguard', folder)])
    const args = [...(container.args ?? [])]
    const portAt = args.indexOf('--health-port') + 1
    if (portAt > 0) args[portAt] = port
    const env = {
      PATH: process.env['PATH'],
      ...settings,
      ...Object.fromEntries(own),
      DATABASE_URL: moved(settings['DATABASE_URL'], postgres.url),
      BROKER_URL: moved(settings['BROKER_URL'], redis.url),
      MODELS_DIR: pathOf('models'),
      MEMORYGUARD_HOME: join(folder, 'home'),
      HOST: '127.0.0.1',
      SHUTDOWN_DELAY_SECONDS: container.env.some(({ name }) => name === 'SHUTDOWN_DELAY_SECONDS') ? '1' : '0',
      ...(args[0] === 'api' && { PORT: port }),
    }
    const child = spawn(process.execPath, [...serverFlags, main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    const exited = once(child, 'exit').then(([code]) => code as number | null)
    const url = `http://127.0.0.1:${port}`
    const started = { name: object.metadata.name, container, url, env, child, exited, output: () => output }
    runs.push(started)
    return started
  }

  /** Whether each probe gets a response of success. */
  const probe = async ({ container, url }: Run) => {
    const { startupProbe, livenessProbe, readinessProbe } = container
    const [isStarted, isAlive, isReady] = await Promise.all(
      [startupProbe, livenessProbe, readinessProbe].map(async (each) =>
        fetch(`${url}${each?.httpGet?.path}`).then(({ ok }) => ok),
      ),
    )
    return { isStarted, isAlive, isReady }
  }

  it('wait for the migration, alive and unready, with one sentence that says so', async () => {
    await Promise.all(deployments.map(run))
    for (const each of runs) {
      await waitFor(() => each.output().includes('The database schema is not up to date: run'), {
        what: `${each.name} to say what it waits for`,
      })
      expect(await probe(each)).toEqual({ isStarted: true, isAlive: true, isReady: false })
    }
  })

  it('run after the migration, with every probe passing, and serve a prediction', async () => {
    const [job] = ours.filter(({ kind }) => kind === 'Job')
    const migration = await run(job as Manifest)
    expect(await migration.exited, migration.output()).toBe(0)
    const servers = runs.filter(({ container }) => container.readinessProbe)
    for (const each of servers) {
      await waitFor(async () => (await probe(each)).isReady, { what: `${each.name}: ${each.output()}` })
      expect(await probe(each)).toEqual({ isStarted: true, isAlive: true, isReady: true })
    }
    const api = servers.find(({ name }) => name.endsWith('-api'))
    const response = await fetch(`${api?.url}/v1/predictions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${adminKey}`,
        'content-type': 'application/json',
        prefer: 'wait=20',
      },
      body: JSON.stringify(example),
    })
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ state: 'succeeded' })])
    expect((await fetch(`${api?.url}/`)).headers.get('content-type')).toContain('text/html')
  })

  it('give KEDA the number of workers, for a key that is made as the documentation says', async () => {
    const api = runs.find(({ name }) => name.endsWith('-api'))
    const { out, err } = await runCommand(['api-keys', 'create', 'keda', '--role', 'viewer'], api?.env)
    const [key = ''] = out.split('\n')
    const triggers = readManifests('keda').objects.flatMap(({ spec }) => spec?.triggers ?? [])
    expect([triggers.length, err]).toEqual([queueNames.length, ''])
    for (const { metadata } of triggers) {
      const { pathname, search } = new URL(metadata.url)
      const response = await fetch(`${api?.url}${pathname}${search}`, { headers: { authorization: `Bearer ${key}` } })
      expect([response.status, await response.json()]).toEqual([
        200,
        expect.objectContaining({ [metadata.valueLocation]: expect.any(Number) as number }),
      ])
    }
  })

  it('end with exit code 0 when they are asked to', async () => {
    const servers = runs.filter(({ container }) => container.readinessProbe)
    for (const { child } of servers) child.kill('SIGTERM')
    for (const { name, exited } of servers) expect([name, await exited]).toEqual([name, 0])
  })
})

describe.skipIf(spawnSync('kubectl', ['kustomize', '--help']).status !== 0)('an overlay as documented', () => {
  const build = (...replaced: readonly (readonly [string, string])[]) => {
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-overlay-'))
    const [, overlay = '', patches = ''] = blocksOf(readFileSync(pathOf('docs/kubernetes.md'), 'utf8'), 'yaml')
    mkdirSync(join(folder, 'mine'))
    symlinkSync(pathOf(''), join(folder, 'memoryguard'))
    const text = replaced.reduce((before, [from, to]) => before.replace(from, to), `${overlay}\n${patches}\n`)
    writeFileSync(join(folder, 'mine/kustomization.yaml'), text)
    writeFileSync(join(folder, 'mine/config.env'), 'BROKER_URL=redis://of-mine:6379/0\n')
    const { stdout, stderr } = spawnSync('kubectl', ['kustomize', join(folder, 'mine')], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect(stderr).toBe('')
    return stdout
  }

  it('wins over the base', () => {
    const text = build()
    expect(text).toContain('BROKER_URL: redis://of-mine:6379/0')
    expect(text.match(/image: registry.example.org\/memoryguard:0.1.0$/gm)).toHaveLength(ours.length)
    expect(text.match(/port: (6432|26379)$/gm)).toHaveLength(2)
    expect(text.match(/terminationGracePeriodSeconds: 150$/gm)).toHaveLength(queueNames.length)
  })

  it('leads KEDA to the api of its own namespace', () => {
    const text = build(['overlays/redis', 'overlays/production'], ['namespace: memoryguard', 'namespace: mine'])
    expect(text.match(/url: http:\/\/memoryguard-api\.mine\.svc:80\//g)).toHaveLength(queueNames.length)
    expect(text).not.toContain('namespace: memoryguard')
  })
})
