import type { Reporter, TestModule } from 'vitest/node'

/** Prints the closing line `N passed, N failed` (and `, N skipped`), which CI counts. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed' || state === 'failed' || state === 'skipped') counts[state] += 1
      }
    }
    counts.failed += unhandledErrors.length
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
    // On the build server everything a test may need is installed: a skipped test is a fault there.
    if (process.env['CI'] && counts.skipped > 0) {
      process.stdout.write(`${counts.skipped} tests were skipped although everything they need can be installed\n`)
      process.exitCode = 1
    } else if (counts.skipped > 0) {
      process.stdout.write(`Left out: ${counts.skipped} tests that need Redis (Debian: apt-get install redis-server)\n`)
    }
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`)
  }
}
