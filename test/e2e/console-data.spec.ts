import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkedWindows, hasChromium, violationsOf } from '../support/console-browser.js'
import { withKeyboard, withPointer, type Hands } from '../support/console-hands.js'
import { csvOf, goodRow, uploadCsv, batchIdOf } from '../support/csv-batches.js'
import { insertKey, queryNumber } from '../support/query.js'
import { useConsole } from '../support/use-console.js'

const people = 'user_id,mmse_score,age\n1,24,72\n2,NA,80.0\n3,99,70\n4,20,x\n'
const screen = /^Impairment screen/

describe.runIf(hasChromium())('batches in the console', () => {
  const { stack, open } = useConsole({ broker: 'postgres' })
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'memoryguard-console-data-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const fileOf = (name: string, text: string) => ({ name, mimeType: '', buffer: Buffer.from(text) })
  const choose = (page: Page, name: string, text: string) =>
    page.getByLabel('File with people').setInputFiles(fileOf(name, text))
  const countBatches = () => queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM batches')
  const setPaused = (isPaused: boolean) => stack.request('POST', `/v1/queues/batch/${isPaused ? 'pause' : 'resume'}`)
  const send = async (page: Page, hands: Hands, text: string, button: RegExp) => {
    await choose(page, 'people.csv', text)
    await hands.choose(page.getByRole('combobox', { name: 'Model' }), screen)
    await hands.press(page.getByRole('button', { name: button }))
    await page.getByRole('heading', { name: /^Batch of/ }).waitFor()
  }

  it.each([
    ['a mouse', withPointer],
    ['the keyboard alone', withKeyboard],
  ])('leads from a CSV file to its results, with %s', async (_name, handsOf) => {
    const { page, faults } = await open({ path: '/overview' })
    const hands = handsOf(page)
    await hands.press(page.getByRole('link', { name: 'Batches' }))
    await hands.press(page.getByRole('link', { name: 'Send a file' }))
    const chooser = page.waitForEvent('filechooser')
    await hands.press(page.getByRole('button', { name: 'Choose a file' }))
    await (await chooser).setFiles(fileOf('people.csv', people))
    await page.getByText(/ B, 4 rows$/).waitFor()
    await hands.choose(page.getByRole('combobox', { name: 'Model' }), screen)
    await page.getByText('Of the first 4 rows, some have invalid values: mmse_score (1), age (1).').waitFor()
    await page.getByText('lies outside 0 to 30 points').waitFor({ state: 'attached' })
    await hands.press(page.getByRole('button', { name: 'Send 4 rows' }))

    await page.getByRole('heading', { name: /^Batch of/ }).waitFor()
    await page.getByText('succeeded', { exact: true }).waitFor()
    await page.getByRole('row', { name: /^4 3 mmse_score must be a whole number from 0 to 30/ }).waitFor()
    await page.getByRole('row', { name: /^5 4 age/ }).waitFor()
    await page.getByText('All 4 rows; 2 rows have no result.').waitFor()
    await page.getByText('Decision support, not diagnosis').first().waitFor()

    const download = page.waitForEvent('download')
    await hands.press(page.getByRole('link', { name: 'Results as CSV' }))
    const lines = (await readFile(await (await download).path(), 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[0]).toMatch(/^line,user_id,prediction_id,risk_score/)
    expect(lines[1]).toMatch(/^2,1,\d+,0\.\d+,/)
    expect(page.url()).not.toContain('risk')
    expect(faults).toEqual([])
  })

  it('shows a batch as it goes on, also after a reload, and its distribution at the end', async () => {
    await setPaused(true)
    const { page } = await open({ path: '/batches/new' })
    await send(page, withPointer(page), csvOf(2_500, goodRow), /^Send 2,500 rows$/)
    await page.getByText('not known before the first rows').waitFor()
    await page.reload()
    await page.getByText('not known before the first rows').waitFor()
    await page.getByText('It is read when the batch has ended.').waitFor({ state: 'detached' })
    await setPaused(false)
    await page.getByText('succeeded', { exact: true }).waitFor()
    await page.getByText('All 2,500 rows; each has a result.').waitFor()
    const chart = page.getByRole('img', { name: /^Risks by category/ })
    // More than five bars.
    await chart.locator('rect').nth(5).waitFor()
  })

  it.each([
    ['a mouse', withPointer],
    ['the keyboard alone', withKeyboard],
  ])('is cancelled after a question, with %s', async (_name, handsOf) => {
    await setPaused(true)
    const id = batchIdOf(await uploadCsv(stack, csvOf(1_500, goodRow)))
    const { page } = await open({ path: `/batches/${id}` })
    const hands = handsOf(page)
    await hands.press(page.getByRole('button', { name: 'Cancel the batch' }))
    const dialog = page.getByRole('dialog', { name: 'Cancel the batch' })
    await dialog.getByText('About 1,500 rows that have not ended are not computed').waitFor()
    // Enter does not confirm by itself: the focus is on what changes nothing.
    await dialog.locator('button:focus').getByText('Cancel', { exact: true }).waitFor()
    await hands.press(dialog.getByRole('button', { name: 'Cancel the batch' }))
    await page.getByText('cancelled', { exact: true }).waitFor()
    await page.getByText('It was cancelled. 0 results are kept.').waitFor()
    await setPaused(false)
  })

  it('can be cancelled while it is sent, and asks before the page is left', async () => {
    const before = await countBatches()
    const { page } = await open({ path: '/batches/new' })
    await page.route('**/v1/batches?*', () => undefined)
    await choose(page, 'people.csv', people)
    await page.getByRole('combobox', { name: 'Model' }).click()
    await page.getByRole('option', { name: screen }).click()
    await page.getByRole('button', { name: 'Send 4 rows' }).click()
    await page.getByRole('link', { name: 'Models', exact: true }).click()
    await page.getByRole('dialog', { name: 'Leave the upload?' }).waitFor()
    await page.getByRole('button', { name: 'Stay' }).click()
    await page.getByRole('button', { name: 'Cancel the upload' }).click()
    await page.getByText('The upload was cancelled. Nothing of it was kept.').waitFor()
    expect(await countBatches()).toBe(before)
  })

  it('says in plain words what is wrong with a file before anything is sent', async () => {
    const before = await countBatches()
    const { page } = await open({ path: '/batches/new' })
    const large = join(folder, 'large.csv')
    writeFileSync(large, people)
    truncateSync(large, 1_073_741_825)
    const files: readonly (readonly [
      file: Parameters<ReturnType<Page['getByLabel']>['setInputFiles']>[0],
      words: string,
    ])[] = [
      [fileOf('people.xlsx', 'PK'), 'This is a workbook.'],
      [fileOf('people.csv', 'PK\u0003\u0004 and more'), 'This is a workbook or an archive with the name of a table.'],
      [fileOf('people.csv', ''), 'This file is empty.'],
      [fileOf('people.csv', 'user_id,age\n'), 'This file has no rows'],
      [fileOf('people.csv', `user_id,age\n${'1,72\n'.repeat(1_000_001)}`), 'This file has more than 1,000,000 rows'],
      [large, 'Split it into several files.'],
      [fileOf('people.csv.gz', 'not packed'), 'This file cannot be unpacked'],
    ]
    for (const [file, words] of files) {
      await page.getByLabel('File with people').setInputFiles(file)
      await page.getByText(words).waitFor()
      expect(await page.getByRole('button', { name: /^Send/ }).count()).toBe(0)
    }
    await choose(page, 'people.csv', 'id,moca\n1,24\n')
    await page.getByRole('combobox', { name: 'Model' }).click()
    await page.getByRole('option', { name: screen }).click()
    await page.getByText('There is no column "user_id"').waitFor()
    await page.getByText('No model here has an input "id", "moca".').waitFor()
    expect(await page.getByRole('button', { name: /^Send/ }).isDisabled()).toBe(true)
    expect(await countBatches()).toBe(before)
  })

  it('says what the service said of a file that it refused', async () => {
    const { page } = await open({ path: '/batches/new' })
    await choose(page, 'people.csv', 'user_id,age,agee\n1,72,1\n')
    await page.getByRole('combobox', { name: 'Model' }).click()
    await page.getByRole('option', { name: screen }).click()
    await page.getByText('No model here has an input "agee".').waitFor()
    await page.getByRole('button', { name: /^Send/ }).click()
    await page.getByText('the column "agee" is no known metric').waitFor()
    await page.getByText(/^Request/).waitFor()
  })

  it('looks at a file of 1,000,000 rows without keeping it', async () => {
    const { page, context } = await open({ path: '/batches/new' })
    const path = join(folder, 'million.csv')
    writeFileSync(path, csvOf(1_000_000, goodRow))
    const client = await context.newCDPSession(page)
    const heapMib = async () => {
      await client.send('HeapProfiler.collectGarbage')
      const { usedSize } = await client.send('Runtime.getHeapUsage')
      return usedSize / 1_048_576
    }
    const before = await heapMib()
    await page.getByLabel('File with people').setInputFiles(path)
    await page.getByText(/MiB, 1,000,000 rows/).waitFor()
    expect((await heapMib()) - before).toBeLessThan(20)
  })

  it('shows a viewer the batches, and nothing that the role may not do', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const { page } = await open({ key, path: '/batches' })
    await page.getByRole('table', { name: 'Batches' }).waitFor()
    expect(await page.getByRole('link', { name: 'Send a file' }).count()).toBe(0)
    await page.goto(`${stack.url}/batches/new`)
    await page.getByText('Your role may look at batches, but not send one.').waitFor()
    await page.goto(`${stack.url}/batches/${crypto.randomUUID()}`)
    await page.getByText('There is no such thing here').waitFor()
  })

  it.each(checkedWindows)('has no violation of WCAG 2.2 AA at %i px, %s', async (width, colorScheme) => {
    const { page, faults } = await open({ width, colorScheme, path: '/batches/new' })
    await page.getByText('Drop a file here').waitFor()
    expect(await violationsOf(page)).toEqual([])
    await choose(page, 'people.csv', people)
    await page.getByRole('combobox', { name: 'Model' }).click()
    await page.getByRole('option', { name: screen }).waitFor()
    expect(await violationsOf(page)).toEqual([])
    await page.getByRole('option', { name: screen }).click()
    await page.getByText('Check this before sending').waitFor()
    expect(await violationsOf(page)).toEqual([])
    await page.getByRole('button', { name: 'Send 4 rows' }).click()
    await page.getByText('All 4 rows; 2 rows have no result.').waitFor()
    expect(await violationsOf(page)).toEqual([])
    await page.goto(`${stack.url}/batches`)
    await page.getByRole('table', { name: 'Batches' }).waitFor()
    expect(await violationsOf(page)).toEqual([])
    expect(faults).toEqual([])
  })
})
