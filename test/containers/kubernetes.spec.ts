import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engine, missingForContainers, repository, run, runEngine } from '../support/containers.js'
import type { Manifest, Probe } from '../support/manifests.js'
import { forPodman } from '../support/podman-manifests.js'
import { example } from '../support/requests.js'
import { waitFor } from '../support/wait-for.js'

const kustomize = () => spawnSync('kubectl', ['kustomize', 'deploy/kustomize/overlays/trial'], { cwd: repository })
const canRun = missingForContainers === undefined && engine === 'podman' && kustomize().status === 0

const network = 'memoryguard-kubernetes'
const key = 'mg_Kx7Lw2Vn9Rt4Zc6Yb1Dj8Qe'
const secrets = {
  'memoryguard-database': { password: 'p@s/s:w%r#d' },
  'memoryguard-broker': { password: 'a "password" \\ of Redis' },
  'memoryguard-admin': { key },
}
const volumes = [...Object.keys(secrets), 'memoryguard-postgresql', 'memoryguard-redis']

/** A pod with the address at which this machine reaches it. */
interface Pod {
  readonly name: string
  readonly container: string
  readonly url: string
  readonly probes: readonly Probe[]
  readonly graceSeconds: number
}

describe.runIf(canRun)('the overlay for trying, under Podman', () => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-kubernetes-'))
  const file = join(folder, 'trial.yaml')
  const text = kustomize().stdout.toString()
  const deployments = parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest & { readonly spec: { readonly replicas: number } })
    .filter(({ kind }) => kind === 'Deployment')
  const servers: Pod[] = []
  let startedAt: number

  const remove = async () => {
    await run('podman', ['kube', 'down', file])
    for (const volume of volumes) await run('podman', ['volume', 'rm', '--force', volume])
    await run('podman', ['network', 'rm', '--force', network])
  }

  const addressOf = async (pod: string): Promise<string> => {
    const infra = await runEngine('pod', 'inspect', '--format', '{{.InfraContainerID}}', pod)
    return runEngine('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', infra)
  }

  const podsOf = ({ metadata, spec }: (typeof deployments)[number]) =>
    Array.from({ length: spec.replicas }, (_, index) => `${metadata.name}-pod-${index}`)

  beforeAll(async () => {
    writeFileSync(file, forPodman(text, secrets))
    await remove()
    await runEngine('network', 'create', network)
    startedAt = performance.now()
    await runEngine('kube', 'play', '--network', network, file)
    for (const deployment of deployments) {
      const { containers, terminationGracePeriodSeconds = 30 } = deployment.spec.template.spec
      const [{ name, startupProbe, readinessProbe, livenessProbe }] = containers
      const probes = [startupProbe, readinessProbe, livenessProbe].flatMap((probe) => (probe?.httpGet ? [probe] : []))
      if (probes.length === 0) continue
      for (const pod of podsOf(deployment)) {
        const url = `http://${await addressOf(pod)}`
        const container = `${pod}-${name}`
        servers.push({ name: pod, container, url, probes, graceSeconds: terminationGracePeriodSeconds })
      }
    }
  })
  afterAll(async () => {
    await remove()
    rmSync(folder, { recursive: true })
  })

  it('starts every pod before the migration, migrates, and every probe passes', async () => {
    expect(servers).toHaveLength(7)
    const isPassing = async ({ url, probes }: Pod) => {
      const responses = await Promise.all(
        probes.map(({ httpGet }) => fetch(`${url}:${httpGet?.port}${httpGet?.path}`).then(({ ok }) => ok)),
      )
      return responses.length === 3 && !responses.includes(false)
    }
    for (const pod of servers) {
      await waitFor(() => isPassing(pod), { what: `the probes of ${pod.name}`, timeoutMs: 120_000, intervalMs: 200 })
    }
    process.stdout.write(
      `Every pod was ready ${((performance.now() - startedAt) / 1000).toFixed(1)} s after the start.\n`,
    )
    expect(await runEngine('wait', 'memoryguard-migrate-migrate')).toBe('0')
  })

  it('serves a prediction and the console', async () => {
    for (const { url } of servers.filter(({ name }) => name.includes('-api-'))) {
      const response = await fetch(`${url}:3000/v1/predictions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=20' },
        body: JSON.stringify(example),
      })
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ state: 'succeeded' })])
      expect((await fetch(`${url}:3000/`)).headers.get('content-type')).toContain('text/html')
    }
  })

  it('ends every process with exit code 0 within its grace period', async () => {
    // The containers alone, as a kubelet does: the network of a pod stays until they have ended.
    const stop = async (container: string, seconds: number) => {
      await runEngine('stop', '--time', String(seconds), container)
      const code = await runEngine('inspect', '--format', '{{.State.ExitCode}}', container)
      const { out } = code === '0' ? { out: '' } : await run('podman', ['logs', container])
      return [container, code, out]
    }
    const before = performance.now()
    const ends = servers.map(({ graceSeconds, container }) => stop(container, graceSeconds))
    expect(await Promise.all(ends)).toEqual(servers.map(({ container }) => [container, '0', '']))
    process.stdout.write(`Every pod had stopped after ${((performance.now() - before) / 1000).toFixed(1)} s.\n`)
    for (const server of ['postgresql', 'redis']) {
      const container = `memoryguard-${server}-pod-0-${server}`
      expect(await stop(container, 30)).toEqual([container, '0', ''])
    }
  })
})
