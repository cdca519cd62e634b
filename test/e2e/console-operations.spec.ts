import type { Page } from 'playwright-core'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { checkedWindows, hasChromium, violationsOf } from '../support/console-browser.js'
import { insertKey, query, queryNumber } from '../support/query.js'
import { example, itemsOf, slowTask, waiting } from '../support/requests.js'
import { useConsole } from '../support/use-console.js'
import { waitFor } from '../support/wait-for.js'

const check = { name: 'ml.health_check', args: {} }

/** Presses Tab until what has the focus bears a name. */
const tabTo = async (page: Page, name: string | RegExp) => {
  const isThere = async () => {
    const said = await page.evaluate<string>(
      `document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || ''`,
    )
    return typeof name === 'string' ? said === name : name.test(said)
  }
  for (let presses = 0; presses < 80; presses += 1) {
    if (await isThere()) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not reach ${String(name)}`)
}

describe.runIf(hasChromium())('operations in the console', () => {
  const { stack, windows, open } = useConsole({
    broker: 'postgres',
    testModels: true,
    env: { WORKER_QUEUES: 'predictions,explanations', RECONCILE_INTERVAL_SECONDS: '0.5' },
  })
  let prediction: unknown

  beforeAll(async () => {
    prediction = (await stack.post('/v1/predictions', example, waiting)).body['id']
  })
  // Before the windows are closed.
  afterEach(() => expect(windows.flatMap((window) => window.faults)).toEqual([]))
  const send = async (body: object): Promise<string> => String((await stack.post('/v1/tasks', body)).body['id'])
  let outputs = 0
  /** A task that fails for good: the model has no such output. */
  const fail = async (): Promise<string> => {
    outputs += 1
    const args = { prediction_id: prediction, output: `none${outputs}` }
    const id = await send({ name: 'ml.generate_explanation', args })
    await stack.untilTask(id, 'failed')
    return id
  }

  it('shows a queue that nobody consumes in red, and has a worker take it', async () => {
    const id = await send({ ...check, queue: 'forecasts' })
    const { page } = await open({ path: '/overview' })
    await page.getByText('1 task of forecasts waits, and no worker consumes this queue').waitFor()
    await page.getByRole('link', { name: 'Open the queue' }).click()
    await page.getByText('1 task waits, and no worker consumes this queue').waitFor()
    await page.getByText('waits, no worker').waitFor()
    await page.getByRole('link', { name: 'ml.health_check' }).click()
    await page.getByText('It waits because no worker consumes the queue forecasts').waitFor()

    await page.getByRole('link', { name: 'Workers' }).click()
    await page.getByRole('link', { name: 'worker1@test' }).click()
    await page.getByRole('tab', { name: 'Queues' }).click()
    expect(page.url()).toContain('tab=queues')
    await page.getByRole('button', { name: 'Consume forecasts' }).click()
    await page.getByText('It now consumes predictions, explanations, forecasts.').waitFor()
    await stack.untilTask(id, 'succeeded')
    await page.getByRole('button', { name: 'Stop consuming forecasts' }).click()
    await page.getByText('No other worker consumes it: its tasks will wait.').waitFor()
    await page.getByRole('button', { name: 'Stop consuming', exact: true }).click()
    await page.getByText('It now consumes predictions, explanations.').waitFor()
  })

  it('finds failures by their kind, and retries exactly those that a plan has counted', async () => {
    const failed = [await fail(), await fail(), await fail()]
    const { page } = await open({ path: '/failures' })
    await page.getByRole('link', { name: 'REQUEST_INVALID' }).click()
    await page.getByText('3 tasks match').waitFor()
    await page.getByRole('link', { name: 'ml.generate_explanation' }).first().click()
    await page.getByRole('alert').getByText('REQUEST_INVALID').waitFor()
    await page
      .getByText(/waited .+ for a free slot/)
      .last()
      .waitFor()
    await page.goBack()
    await page.goBack()

    await page.getByRole('button', { name: 'Retry all of REQUEST_INVALID in ml.generate_explanation' }).click()
    const dialog = page.getByRole('dialog', { name: 'Retry 3 tasks' })
    await dialog.getByText('Retry 3 tasks, exactly these').waitFor()
    // What arrives while the dialog is open is counted behind it, and changes neither the dialog nor the plan.
    const later = await fail()
    await page.locator('td').getByText('4', { exact: true }).waitFor()
    expect(await dialog.getByRole('row').count()).toBe(4)
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    expect(
      await queryNumber(stack.databaseUrl, 'SELECT count(*)::int AS number FROM tasks WHERE replay_of IS NOT NULL'),
    ).toBe(0)

    await page.getByRole('button', { name: 'Retry all of REQUEST_INVALID in ml.generate_explanation' }).click()
    const again = page.getByRole('dialog', { name: 'Retry 4 tasks' })
    await again.getByText('exactly these').waitFor()
    const latest = await fail()
    await again.getByRole('button', { name: 'Retry 4 tasks' }).click()
    await page.getByRole('heading', { name: 'Retry 4 tasks' }).waitFor()
    await page.getByText('4 tasks changed, 0 skipped, 0 failed, of 4').waitFor()
    const replayed = await query<{ replay_of: string }>(
      stack.databaseUrl,
      'SELECT replay_of FROM tasks WHERE replay_of IS NOT NULL',
    )
    expect(replayed.map((row) => row.replay_of).sort()).toEqual([...failed, later].sort())
    expect((await stack.readTask(latest))['replay_id']).toBeNull()

    await page.getByRole('link', { name: 'All plans' }).click()
    await page.getByRole('link', { name: 'Retry 4 tasks' }).waitFor()
    const { page: other } = await open({ path: `/tasks/${failed[0]}` })
    await other.getByText('It was retried').waitFor()
    await other.getByRole('link', { name: 'Open the new task' }).click()
    await other.getByText('Retry of').waitFor()
  })

  it('says that a plan has expired, and changes nothing', async () => {
    const { body } = await stack.post('/v1/plans', { action: 'retry', filter: { state: 'failed' } })
    await query(stack.databaseUrl, `UPDATE plans SET expires_at = now() - interval '1 s' WHERE id = $1`, [body['id']])
    const { page } = await open({ path: `/plans/${String(body['id'])}` })
    await page.getByText('This plan has expired').waitFor()
    expect(await page.getByRole('button', { name: /^Retry/ }).count()).toBe(0)
  })

  it('pauses, purges and resumes a queue, in two tabs', async () => {
    const { page, context } = await open({ path: '/queues/predictions' })
    const other = await context.newPage()
    await other.goto(`${stack.url}/queues`)
    await page.getByRole('button', { name: 'Pause predictions' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByText('It is paused').waitFor()
    await other.getByRole('button', { name: 'Resume predictions' }).waitFor()

    const first = await send(check)
    await page.getByText('It is paused, and 1 task waits').waitFor()
    await other.getByRole('button', { name: 'Purge predictions' }).click()
    const dialog = other.getByRole('dialog', { name: 'Purge 1 task' })
    const purge = dialog.getByRole('button', { name: 'Purge 1 task' })
    await purge.waitFor()
    expect(await purge.isDisabled()).toBe(true)
    const second = await send(check)
    // The other tab resumes nothing of this dialog, and it is still for one task.
    await page.getByText('It is paused, and 2 tasks wait').waitFor()
    await dialog.getByLabel('Type predictions to confirm').fill('predictions')
    await purge.click()
    await other.getByText('1 task changed, 0 skipped, 0 failed, of 1').waitFor()
    expect([(await stack.readTask(first))['state'], (await stack.readTask(second))['state']]).toEqual([
      'cancelled',
      'queued',
    ])
    await page.getByRole('button', { name: 'Resume predictions' }).first().click()
    // The notice that offers it may go; the dialog stays.
    await stack.post('/v1/queues/predictions/resume')
    await page.getByText('It is paused').waitFor({ state: 'detached' })
    await page.getByRole('dialog').getByRole('button', { name: 'Resume', exact: true }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await stack.untilTask(second, 'succeeded')
  })

  it('grows, limits and shuts down a worker, and says what it responded', async () => {
    const worker = await stack.startWorker({ WORKER_NAME: 'second@test', WORKER_CONCURRENCY: '1' })
    const { page } = await open({ path: '/workers/second@test' })
    await page.getByRole('button', { name: 'Grow' }).click()
    await page.getByText('It now has 2 compute processes.').waitFor()
    await page.getByRole('button', { name: 'Shrink' }).click()
    await page.getByText('It now has 1 compute process.').waitFor()
    await page.getByRole('button', { name: 'Shrink' }).click()
    await page.getByRole('alert').waitFor()

    await page.getByRole('tab', { name: 'Limits' }).click()
    const rate = page.locator('form').filter({ hasText: 'Set the rate' })
    await rate.getByRole('combobox', { name: 'Task' }).click()
    await page.getByRole('option', { name: 'ml.health_check' }).click()
    await rate.getByLabel('Starts at most').fill('10/m')
    await rate.getByRole('button', { name: 'Set the rate' }).click()
    await page.getByText('ml.health_check starts at most 10/m.').waitFor()
    await page.getByRole('cell', { name: '10/min' }).waitFor()

    await page.getByRole('button', { name: 'Shut down …' }).click()
    const dialog = page.getByRole('dialog', { name: 'Shut down second@test' })
    const confirm = dialog.getByRole('button', { name: 'Shut down' })
    await dialog.getByLabel('Type second@test to confirm').fill('second')
    await page.keyboard.press('Enter')
    expect(await confirm.isDisabled()).toBe(true)
    await dialog.getByLabel('Type second@test to confirm').fill('second@test')
    await confirm.click()
    await page.getByText('The worker stops when running tasks are finished.').waitFor()
    expect(await worker.exited).toBe(0)
    await page.getByText('It has stopped').waitFor()
    expect(await page.getByRole('button', { name: 'Ping' }).count()).toBe(0)
  })

  it('says how long a worker has been silent, never that it is online', async () => {
    const worker = await stack.startWorker({ WORKER_NAME: 'silent@test' })
    await worker.kill('SIGKILL')
    await query(
      stack.databaseUrl,
      `UPDATE workers SET heartbeat_at = now() - interval '42 s' WHERE name = 'silent@test'`,
    )
    const { page } = await open({ path: '/workers' })
    await page
      .getByRole('row', { name: /silent@test/ })
      .getByText(/stale for 4\d s/)
      .waitFor()
    await page.getByRole('link', { name: 'silent@test' }).click()
    await page.getByText(/It is stale for 4\d s/).waitFor()
    expect(await page.getByRole('button', { name: 'Ping' }).count()).toBe(0)
  })

  it('says that a task has ended meanwhile, and that a worker is gone', async () => {
    const id = await send({ ...check, countdown: 3600 })
    const { page } = await open({ path: `/tasks/${id}` })
    await page
      .getByText(/planned for 1 h later: it can start in/)
      .last()
      .waitFor()
    await page.getByRole('button', { name: 'Revoke …' }).click()
    await query(stack.databaseUrl, `UPDATE tasks SET state = 'succeeded', finished_at = now() WHERE id = $1`, [id])
    await page.getByText('succeeded').first().waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke the task' }).click()
    await page.getByText('The task has already ended: it is succeeded.').waitFor()

    await stack.startWorker({ WORKER_NAME: 'leaving@test' })
    await page.goto(`${stack.url}/workers/leaving@test`)
    await page.getByRole('button', { name: 'Ping' }).waitFor()
    // The page does not know yet that it has stopped.
    await page.route('**/v1/workers/leaving@test', (route) => route.abort())
    await stack.workers.at(-1)?.kill('SIGTERM')
    await page.getByRole('button', { name: 'Ping' }).click()
    await page.getByText('The worker is gone').waitFor()
  })

  it('kills a task that runs', async () => {
    const id = await send(slowTask(60))
    await stack.untilTask(id, 'running')
    const { page } = await open({ path: '/workers/worker1@test?tab=tasks' })
    await page.getByRole('button', { name: `Revoke ml.process_prediction ${id.slice(-6)}` }).click()
    await page.getByLabel('Kill it if it does not end by itself').click()
    await page.getByRole('button', { name: 'Revoke the task' }).click()
    await page.getByText('It runs no task now').waitFor()
    await stack.untilTask(id, 'cancelled')
  })

  it('searches by words, takes parts away one by one, and says what it did not understand', async () => {
    const id = await send(check)
    await stack.untilTask(id, 'succeeded')
    const { page } = await open({ path: '/tasks' })
    const box = page.getByRole('combobox', { name: 'Search tasks' })
    await box.click()
    await page.getByRole('option', { name: /^state:/ }).waitFor()
    await box.fill('sta')
    await page.getByRole('option', { name: /^state: / }).click()
    await page.getByRole('option', { name: /^state:succeeded/ }).click()
    await box.fill('name:ml.health* foo:bar ')
    await page.getByText('begins with no known key').waitFor()
    expect(new URL(page.url()).searchParams.get('q')).toBe('state:succeeded name:ml.health* foo:bar')
    await page.getByText('Not searched yet').waitFor()
    await page.getByRole('button', { name: 'Remove foo:bar' }).click()
    await page.getByRole('link', { name: 'ml.health_check' }).first().waitFor()
    await page.getByRole('button', { name: 'Remove state:succeeded' }).click()
    expect(new URL(page.url()).searchParams.get('q')).toBe('name:ml.health*')
    // An id alone that finds one task opens it.
    await page.goto(`${stack.url}/tasks?q=${id}`)
    await page.getByRole('heading', { name: 'ml.health_check' }).waitFor()
    expect(page.url()).toContain(`/tasks/${id}`)
  })

  it('keeps rows in place, writes over what changes, and announces what is new', async () => {
    const [first, second] = [await send({ ...check, queue: 'batch' }), await send({ ...check, queue: 'batch' })]
    const { page } = await open({ path: '/tasks?q=queue:batch' })
    const rows = page.getByRole('row').filter({ hasText: 'ml.health_check' })
    await page.getByText(second.slice(-6)).waitFor()
    const top = await rows.first().boundingBox()
    await page.getByRole('link', { name: 'ml.health_check' }).first().focus()
    const third = await send({ ...check, queue: 'batch' })
    await page.getByRole('button', { name: '1 new task' }).waitFor()
    await stack.post(`/v1/tasks/${first}/revoke`)
    await rows
      .filter({ hasText: first.slice(-6) })
      .getByText('cancelled')
      .waitFor()
    expect(await rows.count()).toBe(2)
    expect(await rows.first().boundingBox()).toEqual(top)
    expect(await page.evaluate('document.activeElement.textContent')).toBe('ml.health_check')
    await page.getByRole('button', { name: '1 new task' }).click()
    await page.getByText(third.slice(-6)).waitFor()
    expect(await rows.count()).toBe(3)
    await stack.post('/v1/queues/batch/purge')
  })

  it('sends a task, after saying what is wrong with its arguments', async () => {
    const { page } = await open({ path: '/tasks' })
    await page.getByRole('button', { name: 'Send a task' }).click()
    expect(page.url()).toContain('open=send')
    await page.getByRole('combobox', { name: 'Task', exact: true }).click()
    await page.getByRole('option', { name: 'ml.update_forecasts' }).click()
    await page.getByLabel('Arguments').fill('{"user_id": }')
    await page.getByText('Is not JSON').waitFor()
    expect(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(true)
    await page.getByLabel('Arguments').fill('{"user_id": "none"}')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByText('user_id').last().waitFor()
    await page.getByLabel('Arguments').fill('{"user_id": 123}')
    await page.getByText('After a time').click()
    await page.getByLabel('Seconds from now').fill('3600')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByRole('heading', { name: 'ml.update_forecasts' }).waitFor()
    await page.getByText('scheduled', { exact: true }).first().waitFor()
  })

  it('is worked by keys alone', async () => {
    const id = await fail()
    const { page } = await open({ path: '/overview' })
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('q')
    await page.getByRole('button', { name: 'Pause explanations' }).waitFor()
    await tabTo(page, 'Pause explanations')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Pause explanations' }).waitFor()
    await tabTo(page, 'Pause')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Resume explanations' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    // The focus is where it was.
    await waitFor(
      () => page.evaluate<boolean>(`document.activeElement.getAttribute('aria-label') === 'Resume explanations'`),
      { what: 'the focus on the button' },
    )
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Resume explanations' }).waitFor()
    await tabTo(page, 'Resume')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Pause explanations' }).waitFor()
    await page.getByRole('dialog').waitFor({ state: 'detached' })

    await page.keyboard.press('g')
    await page.keyboard.press('t')
    await page.getByRole('heading', { name: 'Tasks', exact: true }).waitFor()
    await tabTo(page, 'Search tasks')
    await page.keyboard.type('state:fail')
    await page.getByRole('option', { name: /^state:failed/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Remove state:failed' }).waitFor()
    await page.getByText(id.slice(-6)).waitFor()

    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: /^Find/ }).waitFor()
    await page.keyboard.type(id)
    await page.getByRole('option', { name: 'Open the task' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'ml.generate_explanation' }).waitFor()
    await tabTo(page, 'Retry …')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await tabTo(page, 'Retry')
    await page.keyboard.press('Enter')
    await page.getByText('It was retried').waitFor()
  })

  it('offers people, predictions and models in the palette', async () => {
    const { page } = await open({ path: '/queues' })
    await page.getByRole('heading', { name: 'Queues' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox', { name: /^Find/ }).waitFor()
    await page.keyboard.type('123')
    for (const name of ['Person 123', 'Prediction 123', 'Search tasks for 123'])
      await page.getByRole('option', { name }).waitFor()
    await page.getByRole('combobox', { name: /^Find/ }).fill('slow')
    await page.getByRole('option', { name: /^Model slow/ }).waitFor()
  })

  it('shows viewers what there is, and no button that they may not press', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const id = await fail()
    const window = await open({ key, path: `/tasks/${id}` })
    const { page } = window
    await page
      .getByText(/waited .+ for a free slot/)
      .last()
      .waitFor()
    expect(await page.getByRole('button', { name: /Retry|Revoke|Forget/ }).count()).toBe(0)
    const pages = [
      ['/tasks', 'ml.generate_explanation'],
      ['/failures', 'REQUEST_INVALID'],
      ['/queues', 'explanations'],
      ['/queues/explanations', 'Workers of this queue'],
      ['/workers/worker1@test', 'Compute|prefork'],
    ] as const
    for (const [path, words] of pages) {
      await window.open(path)
      await page.locator('main').getByText(new RegExp(words)).first().waitFor()
      const buttons = page
        .locator('main')
        .getByRole('button', { name: /Send|Bulk|Retry|Pause|Resume|Purge|Grow|Shut|Ping/ })
      expect(await buttons.count()).toBe(0)
    }
    await window.open('/plans')
    await page.getByText('You may not see this').waitFor()
  })

  it('opens a task with a thousand attempts, and one with a thousand children, within a second', async () => {
    const id = await send(check)
    await stack.untilTask(id, 'succeeded')
    const run = (sql: string) => query(stack.databaseUrl, sql, [id])
    await run('UPDATE task_attempts SET attempt = 1001 WHERE task_id = $1')
    await run('UPDATE tasks SET attempt = 1001, retries = 1000 WHERE id = $1')
    await run(
      `INSERT INTO task_attempts (task_id, attempt, worker, outcome, error_code, error_message, started_at, ended_at)
       SELECT $1, n, 'w1', 'retried', 'TASK_FAILED', 'It failed.', now() - interval '2 h' + n * interval '5 s',
         now() - interval '2 h' + n * interval '5 s' + interval '2 s'
       FROM generate_series(1, 1000) AS n`,
    )
    const parent = await send(check)
    await stack.untilTask(parent, 'succeeded')
    await query(
      stack.databaseUrl,
      `INSERT INTO tasks (id, name, queue, state, args, priority, parent_id, finished_at)
       SELECT gen_random_uuid(), 'ml.health_check', 'batch', 'succeeded', '{}', 0, $1, now()
       FROM generate_series(1, 1000)`,
      [parent],
    )
    const { page } = await open({ path: `/tasks?q=${encodeURIComponent('name:ml.health_check queue:predictions')}` })
    const timed = async (act: () => Promise<void>, words: string) => {
      const start = performance.now()
      await act()
      await page.getByText(words).first().waitFor()
      return performance.now() - start
    }
    const link = (task: string) => page.locator(`a[href$="${task}"]`)
    await link(id).hover()
    const taken = [await timed(() => link(id).click(), 'Show all 1,001 attempts')]
    await page.getByRole('button', { name: /all 1,001 attempts/ }).click()
    await page.getByText('Attempt 1', { exact: true }).waitFor()
    expect(await page.locator('ol > li').count()).toBe(1001)
    await page.goBack()
    await link(parent).waitFor()
    taken.push(await timed(() => link(parent).click(), '1,000 called tasks'))
    await page.getByRole('button', { name: 'Show all 1,000', exact: true }).click()
    await page.getByRole('button', { name: 'Show all 1,000', exact: true }).waitFor({ state: 'detached' })
    expect(await page.getByRole('region', { name: 'Called tasks' }).getByRole('row').count()).toBe(1001)
    expect(Math.max(...taken)).toBeLessThan(1_000)
  })

  it.each(checkedWindows)('has no violation of WCAG 2.2 AA at %i px, %s', async (width, colorScheme) => {
    const id = await fail()
    const { body: plan } = await stack.post('/v1/plans', { action: 'retry', filter: { ids: [id] } })
    const window = await open({ width, colorScheme })
    const { page } = window
    const isClean = async (path: string, words: string | RegExp) => {
      await window.open(path)
      await page.locator('main').getByText(words).first().waitFor()
      expect([path, await violationsOf(page)]).toEqual([path, []])
    }
    const isDialogClean = async (button: string, words: string) => {
      await page.getByRole('button', { name: button }).first().click()
      await page.getByRole('dialog').getByText(words).first().waitFor()
      expect([button, await violationsOf(page)]).toEqual([button, []])
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
    }
    await isClean('/tasks?q=state:failed foo:', 'begins with no known key')
    await isClean('/tasks?q=state:failed', 'ml.generate_explanation')
    await isDialogClean('Send a task', 'Arguments')
    await page.getByRole('combobox', { name: 'Search tasks' }).click()
    await page.getByRole('option').first().waitFor()
    expect(await violationsOf(page)).toEqual([])
    await isClean(`/tasks/${id}`, 'Attempt 1')
    await isDialogClean('Retry …', 'Makes a new task')
    await isClean('/failures', 'REQUEST_INVALID')
    await isDialogClean('Retry all of REQUEST_INVALID in ml.generate_explanation', 'exactly these')
    await isClean('/plans', /Retry \d/)
    await isClean(`/plans/${String(plan['id'])}`, 'Nothing has changed yet')
    await isClean('/queues', 'healthy')
    await isDialogClean('Purge predictions', 'Nothing to do')
    await isClean('/queues/explanations', 'Workers of this queue')
    await isClean('/workers', 'worker1@test')
    for (const tab of ['pool', 'broker', 'queues', 'tasks', 'limits', 'config', 'system'])
      await isClean(`/workers/worker1@test?tab=${tab}`, 'worker1@test')
    await isDialogClean('Shut down …', 'It takes no further task')
    expect(itemsOf(await stack.get('/v1/workers')).length).toBeGreaterThan(0)
  })
})
