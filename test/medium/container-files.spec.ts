import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, productVersion, queueNames, serverFlags } from '#libs/platform'
import { createProgram } from '../../apps/cli/src/program.js'

interface Service {
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: readonly string[] }
  readonly volumes?: readonly string[]
  readonly build?: { readonly dockerfile: string }
  readonly entrypoint?: readonly string[]
  readonly profiles?: readonly string[]
  readonly ports?: readonly string[]
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly env_file?: readonly { readonly path: string }[]
  readonly deploy?: { readonly resources: { readonly limits: Readonly<Record<string, unknown>> } }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

interface Scrapes {
  readonly scrape_configs: readonly {
    readonly dns_sd_configs: readonly { readonly names: readonly string[]; readonly port: number }[]
  }[]
}

interface DataSources {
  readonly datasources: readonly { readonly url: string }[]
}

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const textOf = (name: string) => readFileSync(pathOf(name), 'utf8')

const makeSecrets = (folder: string, env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, [pathOf('bin/compose-secrets.mjs'), folder, folder, join(folder, 'given')], { env })

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(textOf('docker-compose.yml'), { merge: true }) as Compose
  const ours = Object.entries(services).filter(([, { build, entrypoint }]) => build !== undefined && !entrypoint)

  it('has a database, a broker, one migration, an api and a worker for each queue', () => {
    const workers = queueNames.map((queue) => `worker-${queue}`)
    const always = Object.entries(services).filter(([, { profiles }]) => profiles === undefined)
    const names = always.map(([name]) => name)
    expect(names).toEqual(['secrets', 'postgres', 'redis', 'migrate', 'api', ...workers])
    for (const queue of queueNames) {
      expect(services[`worker-${queue}`]?.command?.slice(0, 3)).toEqual(['worker', '--queues', queue])
    }
  })

  it.each(ours)('runs %s by a command that exists, with a valid environment', (_name, { command, environment }) => {
    const [name = '', ...flags] = command ?? []
    const subcommand = createProgram().commands.find((candidate) => candidate.name() === name)
    expect(subcommand?.parseOptions(flags).unknown).toEqual([])
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-secrets-'))
    expect(makeSecrets(folder).status).toBe(0)
    const inHere = Object.entries(environment ?? {}).map(([key, value]) => [key, value.replace('/secrets', folder)])
    const { broker, database } = loadConfig(Object.fromEntries(inHere) as Record<string, string>)
    expect(broker.url).toMatch(/^redis:\/\/:.{32}@redis:/)
    expect(database.url).toMatch(/^postgresql:\/\/memoryguard:.{32}@postgres:/)
    rmSync(folder, { recursive: true })
  })

  it('E7: confines every service, and gives api and workers each setting of .env', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        deploy: { resources: { limits: { memory: expect.any(String) as string, pids: expect.any(Number) as number } } },
      })
    }
    for (const [name, { env_file: files }] of ours) expect(files?.[0], name).toMatchObject({ path: '.env' })
  })

  it('E7: has no password in it, makes them once, and takes any that are given', () => {
    expect(textOf('docker-compose.yml')).not.toMatch(/PASSWORD:-\w|:\/\/\w*:\w+@/)
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-secrets-'))
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(makeSecrets(folder).status).toBe(0)
    const names = ['postgres-password', 'redis-password', 'grafana-password']
    const made = names.map(read)
    expect(new Set(made).size).toBe(3)
    for (const password of made) expect(password).toMatch(/^[\w-]{32}$/)
    expect(makeSecrets(folder).status).toBe(0)
    expect(names.map(read)).toEqual(made)
    const given = `p@s/s:w%r#d "x" \\ y`
    expect(makeSecrets(folder, { POSTGRES_PASSWORD: given, REDIS_PASSWORD: given }).status).toBe(0)
    expect(read('postgres-password')).toBe(given)
    expect(read('redis.conf')).toBe('requirepass "p@s/s:w%r#d \\"x\\" \\\\ y"\n')
    mkdirSync(join(folder, 'given'))
    writeFileSync(join(folder, 'given/redis-password'), 'of a file\n')
    expect(makeSecrets(folder).status).toBe(0)
    expect(['postgres-password', 'redis-password'].map(read)).toEqual([given, 'of a file'])
    rmSync(folder, { recursive: true })
  })

  it.each([
    ['\n', {}, 'deploy/secrets/redis-password is empty. Write the password into it, or remove it.'],
    ['  \n', {}, 'deploy/secrets/redis-password is empty. Write the password into it, or remove it.'],
    ['a\nb\n', {}, 'deploy/secrets/redis-password has more than one line. Write the password alone into it.'],
    [undefined, {}, 'deploy/secrets/redis-password cannot be read (EISDIR). It must be a file.'],
    [
      'one\n',
      { REDIS_PASSWORD: 'other' },
      'REDIS_PASSWORD and deploy/secrets/redis-password differ. Remove one of them.',
    ],
    ['one\n', { REDIS_PASSWORD: 'a\nb' }, 'REDIS_PASSWORD is no password: it is blank or has a line break.'],
  ])('E7: a secret of %j with %j ends it with one sentence', (text, env, sentence) => {
    const folder = mkdtempSync(join(tmpdir(), 'memoryguard-secrets-'))
    mkdirSync(join(folder, 'given'))
    const path = join(folder, 'given/redis-password')
    if (text === undefined) mkdirSync(path)
    else writeFileSync(path, text)
    const refused = makeSecrets(folder, env)
    expect([refused.status, refused.stderr.toString()]).toEqual([1, `${sentence}\n`])
    expect(existsSync(join(folder, 'redis.conf'))).toBe(false)
    rmSync(folder, { recursive: true })
  })

  it('E7: shows the passwords of .env to the service that writes them into files, and to no other', () => {
    const names = [...textOf('bin/compose-secrets.mjs').matchAll(/'(\w+_PASSWORD)'/g)].map(([, name = '']) => name)
    expect(names).toHaveLength(3)
    const { secrets, ...others } = services
    expect(secrets?.env_file).toEqual([])
    for (const [service, { environment, env_file: files = [] }] of Object.entries(others))
      for (const name of names)
        expect(environment?.[name], `${name} of ${service}`).toBe(files.length > 0 ? '' : undefined)
  })

  it('watches with a profile whose files exist, on this machine only', () => {
    const watching = Object.entries(services).filter(([, { profiles }]) => profiles?.includes('monitoring'))
    expect(watching.map(([name]) => name)).toEqual(['prometheus', 'grafana'])
    for (const [name, { ports, volumes: list = [] }] of watching) {
      expect(ports?.[0], name).toMatch(/^127\.0\.0\.1:/)
      for (const source of list.map((volume) => volume.split(':')[0] ?? '').filter((path) => path.startsWith('./')))
        expect(existsSync(pathOf(source)), source).toBe(true)
    }
    const { scrape_configs: jobs } = parse(textOf('deploy/prometheus/prometheus.yml')) as Scrapes
    const scraped = jobs.flatMap((job) => job.dns_sd_configs.flatMap(({ names, port }) => names.map((n) => [n, port])))
    expect(scraped).toEqual([['api', 3000], ...queueNames.map((queue) => [`worker-${queue}`, 8081])])
    const { datasources } = parse(textOf('deploy/grafana/provisioning/datasources/prometheus.yml')) as DataSources
    expect(datasources[0]?.url).toBe('http://prometheus:9090')
  })

  it('waits only for what is there, and for health only where it is checked', () => {
    for (const { depends_on: needs = {} } of Object.values(services)) {
      for (const [name, { condition }] of Object.entries(needs)) {
        expect(services[name]).toBeDefined()
        if (condition === 'service_healthy') expect(services[name]?.healthcheck?.test).toBeDefined()
      }
    }
  })

  it('declares each volume it uses', () => {
    const used = Object.values(services).flatMap(({ volumes: list = [] }) => list.map((volume) => volume.split(':')[0]))
    const named = used.filter((source) => !source?.startsWith('./'))
    expect(Object.keys(volumes).toSorted()).toEqual([...new Set(named)].toSorted())
  })
})

describe('Dockerfile', () => {
  const lines = textOf('deploy/Dockerfile')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
  const instructions = (name: string) => lines.filter((line) => line.startsWith(`${name} `))

  it('copies what exists and what .dockerignore lets through', () => {
    const allowed = textOf('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    const sources = instructions('COPY')
      .filter((line) => !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      expect(existsSync(pathOf(source)), source).toBe(true)
      // A folder is let through with what is in it.
      expect(
        allowed.some((path) => source === path || source.startsWith(`${path}/`)),
        source,
      ).toBe(true)
    }
  })

  it('skips the GPU download, does not run as root, and checks its health', () => {
    expect(instructions('ENV')).toContain('ENV ONNXRUNTIME_NODE_INSTALL=skip')
    expect(instructions('USER').at(-1)).toBe('USER 1000:1000')
    expect(textOf('deploy/Dockerfile')).toContain(`ARG VERSION=${productVersion}\n`)
    expect(textOf('deploy/Dockerfile')).toMatch(/RUN npm ci .*\n/)
    expect(instructions('HEALTHCHECK')).toHaveLength(1)
    for (const line of [...instructions('ENTRYPOINT'), ...instructions('HEALTHCHECK')]) {
      const [script = ''] = /bin\/[\w.]+/.exec(line) ?? []
      expect(existsSync(pathOf(script)), line).toBe(true)
    }
  })
})

it('every way to start a server gives Node the same flags', () => {
  expect(textOf('bin/memoryguard.js').split('\n')[0]).toBe(`#!/usr/bin/env -S node ${serverFlags.join(' ')}`)
  expect(textOf('deploy/Dockerfile')).toContain(
    `ENTRYPOINT ${JSON.stringify(['node', ...serverFlags, 'bin/memoryguard.js']).replaceAll(',', ', ')}`,
  )
})
