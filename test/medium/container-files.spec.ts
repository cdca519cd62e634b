import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, queueNames, serverFlags } from '#libs/platform'
import { createProgram } from '../../apps/cli/src/program.js'

interface Service {
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: readonly string[] }
  readonly volumes?: readonly string[]
  readonly build?: { readonly dockerfile: string }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const textOf = (name: string) => readFileSync(pathOf(name), 'utf8')

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(textOf('docker-compose.yml'), { merge: true }) as Compose
  const ours = Object.entries(services).filter(([, { build }]) => build !== undefined)

  it('has a database, a broker, one migration, an api and a worker for each queue', () => {
    const workers = queueNames.map((queue) => `worker-${queue}`)
    expect(Object.keys(services)).toEqual(['postgres', 'redis', 'migrate', 'api', ...workers])
    for (const queue of queueNames) {
      expect(services[`worker-${queue}`]?.command?.slice(0, 3)).toEqual(['worker', '--queues', queue])
    }
  })

  it.each(ours)('runs %s by a command that exists, with a valid environment', (_name, { command, environment }) => {
    const [name = '', ...flags] = command ?? []
    const subcommand = createProgram().commands.find((candidate) => candidate.name() === name)
    expect(subcommand?.parseOptions(flags).unknown).toEqual([])
    const withDefaults = Object.entries(environment ?? {}).map(([key, value]) => [
      key,
      value.replaceAll(/\$\{\w+:-(\w*)\}/g, '$1'),
    ])
    expect(loadConfig(Object.fromEntries(withDefaults) as Record<string, string>).broker.url).toMatch(/^redis:/)
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
    expect(Object.keys(volumes).toSorted()).toEqual(used.toSorted())
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
    const sources = instructions('COPY')
      .filter((line) => !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1))
    expect(sources.length).toBeGreaterThan(5)
    for (const source of sources) {
      expect(existsSync(pathOf(source)), source).toBe(true)
      expect(allowed).toContain(`!${source}`)
    }
  })

  it('skips the GPU download, does not run as root, and checks its health', () => {
    expect(instructions('ENV')).toContain('ENV ONNXRUNTIME_NODE_INSTALL=skip')
    expect(instructions('USER').at(-1)).toBe('USER node')
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
