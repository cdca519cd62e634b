import { fileURLToPath } from 'node:url'
import swc from 'unplugin-swc'
import { defineConfig } from 'vitest/config'
import { LongFirst } from './test/support/long-first.js'

const root = fileURLToPath(new URL('.', import.meta.url))

/** Nest needs decorator metadata, which Vite's own transform drops. */
const decorators = () => swc.vite({ jsc: { transform: { legacyDecorator: true, decoratorMetadata: true } } })

/** `#libs/<name>` means the `index.ts` of a lib, in tests from its source. */
const alias = [
  { find: /^#libs\/([^/]+)$/, replacement: `${root}libs/$1/src/index.ts` },
  { find: /^#libs\/([^/]+)\/([^/]+)$/, replacement: `${root}libs/$1/src/$2/index.ts` },
]

const project = (name: string, include: string[], more: object = {}) => ({
  plugins: [decorators()],
  resolve: { alias },
  test: {
    name,
    include,
    setupFiles: [`${root}test/support/clean-environment.ts`],
    // Much of a test is waiting: four files share two cores well.
    maxWorkers: 4,
    // Tests clean up after themselves, so that files can share what they import.
    isolate: false,
    ...more,
  },
})

/** Files at a time that run the built product, which keeps the cores busy. */
const stackWorkers = 3

/** Global set-up of the projects whose tests run the built product. */
const stacks = `${root}test/support/stack-templates.ts`

/**
 * With real services on a busy build server one of three thousand tests may wait in vain. It gets a second try there, and
 * the reporter names it.
 */
const retry = process.env['CI'] ? 1 : 0

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    reporters: ['default', `${root}test/support/count-reporter.ts`],
    projects: [
      project('unit', ['apps/*/src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts']),
      project('medium', ['test/medium/**/*.spec.ts'], {
        globalSetup: `${root}test/support/database-server.ts`,
        testTimeout: 60_000,
        hookTimeout: 60_000,
        retry,
      }),
      project('e2e', ['test/e2e/**/*.spec.ts'], {
        globalSetup: stacks,
        isolate: true,
        maxWorkers: stackWorkers,
        testTimeout: 120_000,
        hookTimeout: 120_000,
        retry,
        sequence: { groupOrder: 1 },
      }),
      project('chaos', ['test/chaos/*.spec.ts'], {
        globalSetup: stacks,
        isolate: true,
        maxWorkers: stackWorkers,
        testTimeout: 180_000,
        hookTimeout: 120_000,
        retry,
        // With the e2e tests: the end of a group leaves cores idle.
        sequence: { groupOrder: 1 },
      }),
      // Outages of production's length: too long for each build.
      project('chaos-long', ['test/chaos/long/*.spec.ts'], {
        globalSetup: stacks,
        isolate: true,
        testTimeout: 180_000,
        hookTimeout: 120_000,
        fileParallelism: false,
        sequence: { groupOrder: 2 },
      }),
      // Needs a container engine, and builds the image.
      project('containers', ['test/containers/*.spec.ts'], {
        globalSetup: `${root}test/support/containers.ts`,
        isolate: true,
        testTimeout: 300_000,
        hookTimeout: 900_000,
        fileParallelism: false,
        sequence: { groupOrder: 4 },
      }),
    ],
  },
})
