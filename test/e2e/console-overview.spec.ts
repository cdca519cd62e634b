import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/console-browser.js'
import { insertKey } from '../support/query.js'
import { useConsole } from '../support/use-console.js'
import { waitFor } from '../support/wait-for.js'

const predictions = 40

describe.runIf(hasChromium())('the overview', () => {
  const { stack, open } = useConsole({ broker: 'postgres' })

  /** The rows of a chart's table, but for the last ones, which are not complete. */
  const numbersOf = async (page: Page, title: string, until: string): Promise<readonly string[]> => {
    const chart = page.getByRole('figure').filter({ has: page.getByRole('heading', { name: title }) })
    await chart.getByText('Numbers', { exact: true }).click()
    const rows = await chart.getByRole('row').allInnerTexts()
    return rows.slice(0, rows.findIndex((row) => row.startsWith(until)) + 1)
  }

  /** Until a field has a value: the names of the queues have to arrive first. */
  const untilChosen = (page: Page, name: string, value: string) =>
    waitFor(async () => (await page.getByRole('combobox', { name }).inputValue()) === value, {
      what: `${value} in the field ${name}`,
    })

  const submit = async () => {
    for (let user = 1; user <= predictions; user += 1) {
      await stack.post('/v1/predictions', { user_id: user, health_metrics: { mmse_score: 24, age: 72 } })
    }
  }

  /** Starts of the complete points that have tasks. */
  const closedPoints = async (): Promise<readonly string[]> => {
    const { body } = await stack.get('/v1/stats/series?range=15m')
    const [series] = body['series'] as { points: { at: string; partial: boolean; tasks: number | null }[] }[]
    return (series?.points ?? []).filter(({ partial, tasks }) => !partial && (tasks ?? 0) > 0).map(({ at }) => at)
  }

  beforeAll(submit)

  it('shows the same numbers after a restart of the api and a kill of the worker', async () => {
    await waitFor(async () => (await closedPoints()).length > 0, { what: 'a complete minute', timeoutMs: 100_000 })
    const { page } = await open({ path: '/overview?range=15m' })
    const last = (await closedPoints()).at(-1) ?? ''
    await page.getByText(/tasks in points of/).waitFor()
    const zone = await page.evaluate<string>('Intl.DateTimeFormat().resolvedOptions().timeZone')
    expect(zone).toBe('UTC')
    const time = new Intl.DateTimeFormat('en-GB', {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZone: 'UTC',
    }).format(new Date(last))
    const titles = ['Ended tasks by outcome', 'Wait, until it starts', 'Run, from start to end']
    const before = []
    for (const title of titles) before.push(await numbersOf(page, title, time))
    expect(before[0]?.join('\n')).toMatch(/\t[1-9]/)

    await stack.workers[0]?.kill('SIGKILL')
    await stack.api.kill('SIGTERM')
    await stack.startApi()
    await stack.startWorker()
    await page.reload()
    await page.getByText(/tasks in points of/).waitFor()
    const after = []
    for (const title of titles) after.push(await numbersOf(page, title, time))
    // The oldest minutes may have left the range meanwhile.
    for (const [index, rows] of before.entries()) expect(after[index]).toEqual(expect.arrayContaining(rows.slice(-3)))
  })

  it('is the same for another key by its address, and goes back', async () => {
    const { page } = await open({ path: '/overview?range=6h&queue=batch' })
    await untilChosen(page, 'Queue', 'batch')
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const other = await open({ key, path: new URL(page.url()).pathname + new URL(page.url()).search })
    await untilChosen(other.page, 'Time', 'Last 6 hours')
    await page.getByRole('combobox', { name: 'Time' }).click()
    await page.getByRole('option', { name: 'Last 90 days' }).click()
    await page.waitForURL(/range=90d/)
    await page.goBack()
    await page.waitForURL(/range=6h/)
    await untilChosen(page, 'Queue', 'batch')
  })

  it('reads single points by the arrow keys, and zooms by dragging', async () => {
    const { page, faults } = await open({ path: '/overview?range=15m' })
    const chart = page.getByRole('img', { name: /^Ended tasks by outcome/ })
    await chart.focus()
    await page.keyboard.press('Home')
    await page
      .getByRole('figure')
      .first()
      .getByText(/^\d+ \w+ \d+, /)
      .first()
      .waitFor()
    const box = await chart.boundingBox()
    if (!box) throw new Error('The chart is not drawn')
    await page.mouse.move(box.x + box.width * 0.4, box.y + 60)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.8, box.y + 60)
    await page.mouse.up()
    await page.waitForURL(/from=.*&to=/)
    await page.getByRole('button', { name: 'Back to last 15 minutes' }).click()
    await page.waitForURL((url) => !url.search.includes('from='))
    expect(faults).toEqual([])
  })

  it('says in red which queue waits without a worker', async () => {
    await Promise.all(stack.workers.map((worker) => worker.kill('SIGTERM')))
    await stack.post('/v1/predictions', { user_id: 1, health_metrics: { mmse_score: 24, age: 72 } })
    const { page } = await open({ path: '/overview' })
    const alert = page
      .getByRole('alert')
      .filter({ hasText: '1 task of predictions waits, and no worker consumes this queue' })
    await alert.waitFor({ timeout: 60_000 })
    expect(await alert.innerText()).toContain('memoryguard worker --queues predictions')
  })
})
