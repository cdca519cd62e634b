import type { Reporter, TestModule } from 'vitest/node'

/** So many of the slowest files are named, for they decide how long a run takes. */
const slowestCount = 15

/** Projects that `npm test` leaves out, and what to run instead. */
const leftOutOfAll = [
  ['chaos-long', 'outages of production length, partitions, and the control of blocked-compute (npm run test:chaos)'],
  ['containers', 'the image and compose, which need a container engine (npm run test:containers)'],
] as const

/** Prints the closing line `N passed, N failed` (and `, N skipped`), which CI counts. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    const leftOut = new Set<string>()
    const retried: string[] = []
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (test.diagnostic()?.flaky) retried.push(`${module.relativeModuleId}: ${test.fullName}`)
        if (state === 'skipped') leftOut.add(test.parent.type === 'suite' ? test.parent.fullName : test.fullName)
        if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state] += 1
      }
    }
    counts.failed += unhandledErrors.length
    if (modules.length > 50) process.stdout.write(`Slowest files: ${slowestOf(modules).join(', ')}\n`)
    if (retried.length > 0)
      process.stdout.write(`Passed on the second try only: ${retried.length}\n  ${retried.join('\n  ')}\n`)
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
    // On the build server everything a test may need is installed: a skipped test is a fault there.
    if (process.env['CI'] && counts.skipped > 0) {
      process.stdout.write(`${counts.skipped} tests were skipped although everything they need can be installed\n`)
      process.exitCode = 1
    } else if (counts.skipped > 0) {
      process.stdout.write(
        `Left out: ${counts.skipped} tests, for what they need is not installed here: ${[...leftOut].join('; ')}\n`,
      )
      process.stdout.write('What they need, and how to install it on Debian, stands in .ci/run.\n')
    }
    for (const [project, words] of leftOutOfAll)
      if (modules.length > 50 && !modules.some((module) => module.project.name === project))
        process.stdout.write(`Left out: ${words}\n`)
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`)
  }
}

const slowestOf = (modules: readonly TestModule[]): string[] =>
  modules
    .map((module) => ({ id: module.relativeModuleId, seconds: Math.round(module.diagnostic().duration / 1000) }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, slowestCount)
    .map(({ id, seconds }) => `${id} ${seconds} s`)
