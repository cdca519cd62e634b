import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkedWindows, hasChromium, violationsOf } from '../support/console-browser.js'
import { withKeyboard, withPointer } from '../support/console-hands.js'
import { insertKey } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { useConsole } from '../support/use-console.js'
import { waitFor } from '../support/wait-for.js'
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

const ways = [
  ['a mouse', withPointer],
  ['the keyboard alone', withKeyboard],
] as const

/** Adds a second version of the model that the folder has. */
const addVersion = (folder: string): void => {
  const version = join(folder, 'impairment-screen', '2')
  cpSync(join(folder, 'impairment-screen', '1'), version, { recursive: true })
  const manifest = join(version, 'manifest.json')
  const content = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>
  writeFileSync(manifest, JSON.stringify({ ...content, version: '2' }))
}

describe.runIf(hasChromium())('administration in the console', () => {
  const { stack, open } = useConsole({
    broker: 'postgres',
    testModels: addVersion,
    env: {
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
      WEBHOOK_RETRY_SECONDS: '0.2',
      RECONCILE_INTERVAL_SECONDS: '0.5',
    },
  })
  let receiver: WebhookReceiver

  beforeAll(async () => {
    receiver = await startReceiver()
    await stack.request('POST', '/v1/models/impairment-screen/1/activate')
  })
  afterAll(() => receiver.close())

  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true })
  const roleOf = (key: string) => stack.get('/v1/me', { authorization: `Bearer ${key}` })

  it.each(ways)(
    'makes a key with a role, revokes it, and finds both in the audit trail, with %s',
    async (way, handsOf) => {
      const { page, faults } = await open({ path: '/overview' })
      const hands = handsOf(page)
      const name = `import by ${way}`
      await hands.press(page.getByRole('link', { name: 'Access' }))
      await hands.press(button(page, 'Create a key'))
      await hands.type(page.getByLabel('Name'), name)
      await hands.pick(page.getByRole('radio', { name: /^submitter/ }))
      await hands.press(button(page, 'Create the key'))
      const key = await page.getByRole('textbox', { name: 'API key' }).inputValue()
      expect((await roleOf(key)).body).toMatchObject({ role: 'submitter', name })
      await hands.press(button(page, 'I have stored it'))
      expect(await page.getByText(key).count()).toBe(0)
      // The form and the secret are two dialogs: the focus comes back to what opened the first.
      await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Create a key')

      await hands.press(button(page, `Revoke ${name}`))
      const dialog = page.getByRole('dialog', { name: /^Revoke the key/ })
      await dialog.getByText('Within 5 seconds every process rejects the submitter key').waitFor()
      await hands.press(dialog.getByRole('button', { name: 'Revoke' }))
      await page.getByRole('row', { name: new RegExp(`${name} submitter revoked`) }).waitFor()
      await waitFor(async () => (await roleOf(key)).status === 401, { what: 'the key to be rejected' })

      await hands.press(page.getByRole('link', { name: 'Audit' }))
      await hands.type(page.getByRole('combobox', { name: 'Action' }), 'api_key.revoke')
      await page.keyboard.press('Escape')
      await hands.press(button(page, 'Search'))
      await page.getByRole('cell', { name: 'api_key.create' }).first().waitFor({ state: 'detached' })
      await hands.press(
        page
          .getByRole('row', { name: /api_key\.revoke/ })
          .first()
          .getByRole('link'),
      )
      const entry = page.getByRole('dialog', { name: /^Entry/ })
      await entry.getByText('first admin key').waitFor()
      await entry.getByText('Request', { exact: true }).waitFor()
      await hands.press(entry.getByRole('button', { name: 'Close' }))
      await hands.press(button(page, 'Check the trail'))
      await page.getByText('The trail is intact').waitFor()
      expect(page.url()).toContain('action=api_key.revoke')
      expect(faults).toEqual([])
    },
  )

  it.each(ways)('makes a schedule, runs, pauses, changes and deletes it, with %s', async (way, handsOf) => {
    const { page, faults } = await open({ path: '/schedules' })
    const hands = handsOf(page)
    const name = `weekly-${way.length}`
    await hands.press(button(page, 'Create a schedule'))
    await hands.type(page.getByLabel('Name'), name)
    await hands.type(page.getByRole('combobox', { name: 'Task', exact: true }), 'ml.health_check')
    await page.keyboard.press('Escape')
    await hands.type(page.getByLabel('Cron pattern'), '30 2 * * mon')
    await page.getByText('At 02:30, on Monday').waitFor()
    await hands.press(button(page, 'Create the schedule'))
    await page.getByRole('heading', { name }).waitFor()
    await page.getByText('At 02:30, on Monday, ').first().waitFor()

    await hands.press(button(page, 'Run now'))
    await page.getByText('Its task was sent.').waitFor()
    await page.getByRole('table', { name: 'Last tasks' }).getByText('succeeded').waitFor()
    await hands.press(button(page, 'Pause'))
    await page.getByText('paused', { exact: true }).waitFor()
    await hands.press(button(page, 'Resume'))
    await page.getByText('on', { exact: true }).waitFor()

    await hands.press(button(page, 'Change'))
    await hands.type(page.getByLabel('Cron pattern'), 'whenever')
    await page.getByText('This is not a valid schedule yet.').waitFor()
    await hands.press(button(page, 'Save'))
    await page.getByText('must be minute, hour, day, month and weekday').first().waitFor()
    await hands.type(page.getByLabel('Cron pattern'), '@daily')
    await hands.press(button(page, 'Save'))
    await page.getByText('It is saved; new times count from now.').waitFor()
    await page.getByText('At 00:00 every day, ').first().waitFor()

    await hands.press(button(page, 'Delete'))
    await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Delete' }))
    await page.getByText('There is no schedule').waitFor()
    expect(faults).toEqual([])
  })

  it.each(ways)(
    'adds a webhook, tests it, sends again, changes its secret and removes it, with %s',
    async (_way, handsOf) => {
      const { page, faults } = await open({ path: '/webhooks' })
      const hands = handsOf(page)
      const received = receiver.messages.length
      await hands.press(button(page, 'Add a webhook'))
      await hands.type(page.getByRole('textbox', { name: 'URL' }), 'no address')
      await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Add the webhook' }))
      await page.getByRole('dialog').getByText('This did not work').waitFor()
      await hands.type(page.getByRole('textbox', { name: 'URL' }), `${receiver.url}/hook`)
      await hands.type(page.getByLabel('What it is for'), 'tells the ward')
      await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Add the webhook' }))
      const secret = page.getByRole('textbox', { name: 'Secret' })
      expect(await secret.inputValue()).toMatch(/^whsec_/)
      const first = await secret.inputValue()
      await hands.press(button(page, 'I have stored it'))
      await page.getByRole('heading', { name: 'tells the ward' }).waitFor()

      await hands.press(button(page, 'Send a test'))
      await page.getByRole('row', { name: /webhook\.test.*delivered/ }).waitFor()
      await hands.press(button(page, /^Send the message of webhook\.test again/))
      await waitFor(() => receiver.messages.length === received + 2, { what: 'the message to come again' })
      expect(receiver.messages.at(-1)?.id).toBe(receiver.messages.at(-2)?.id)

      await hands.press(button(page, 'Rotate the secret'))
      await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Rotate the secret' }))
      await page.getByRole('dialog', { name: 'The webhook has a new secret' }).waitFor()
      expect(await secret.inputValue()).not.toBe(first)
      await hands.press(button(page, 'I have stored it'))
      await hands.press(button(page, 'Remove'))
      await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Remove' }))
      await page.getByText('There is no webhook').waitFor()
      expect(faults).toEqual([])
    },
  )

  it.each(ways)('runs a version as a shadow, activates it and rolls back, with %s', async (_way, handsOf) => {
    const { page, faults } = await open({ path: '/models/impairment-screen/2' })
    const hands = handsOf(page)
    await page.getByRole('heading', { name: 'Calibration' }).waitFor()
    await hands.press(button(page, 'Run as a shadow'))
    await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Start the shadow' }))
    await page.getByText('The shadow runs.').waitFor()
    const body = { user_id: 7, health_metrics: { mmse_score: 24, age: 72 } }
    // The worker learns of the shadow a moment later: what is computed before is not compared.
    await waitFor(
      async () => {
        await stack.request('POST', '/v1/predictions', body, waiting)
        return page.getByRole('row', { name: /^impairment-screen@1 \d+ / }).isVisible()
      },
      { what: 'a compared prediction', intervalMs: 500 },
    )
    await hands.press(button(page, 'End the shadow'))
    await hands.press(page.getByRole('dialog').getByRole('button', { name: 'End the shadow' }))
    await page.getByText('The shadow has ended.').waitFor()

    await hands.press(button(page, 'Activate'))
    await page.getByText('computed by version 2 instead of version 1').waitFor()
    await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Activate' }))
    await page.getByText('This version is active now.').waitFor()
    await hands.press(button(page, 'Roll back to 1'))
    await page.getByText('From version 2 to version 1').waitFor()
    await hands.press(page.getByRole('dialog').getByRole('button', { name: 'Roll back' }))
    await page.getByText('The version before is active again.').waitFor()
    await hands.press(page.getByRole('link', { name: '1', exact: true }))
    await page.getByText('active', { exact: true }).waitFor()
    expect(faults).toEqual([])
  })

  it('ends a session of another browser', async () => {
    const other = await open({ path: '/overview' })
    const { page } = await open({ path: '/access?tab=sessions' })
    await page.getByText('this one').waitFor()
    await button(page, 'End the session of first admin key').first().click()
    await page.getByRole('dialog').getByRole('button', { name: 'End the session' }).click()
    await other.page.getByText('Your session has ended').waitFor()
  })

  it('leaves out what a viewer may not do', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const { page } = await open({ key, path: '/models/impairment-screen/2' })
    await page.getByRole('heading', { name: 'Calibration' }).waitFor()
    const actions = page
      .getByRole('main')
      .getByRole('button', { name: /^(Activate|Roll|Run|Create|Rotate|Add|Revoke|Search)/ })
    expect(await actions.count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Audit' }).count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Webhooks' }).count()).toBe(0)
    await page.goto(`${stack.url}/schedules?form=new`)
    await page.getByText('There is no schedule').waitFor()
    expect(await actions.count()).toBe(0)
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.goto(`${stack.url}/access?tab=keys&form=new`)
    await page.getByRole('heading', { name: 'Who am I' }).waitFor()
    expect(await page.getByRole('tab', { name: 'API keys' }).count()).toBe(0)
    for (const path of ['/webhooks', '/audit']) {
      await page.goto(stack.url + path)
      await page.getByText('You may not see this').first().waitFor()
    }
  })

  it.each(checkedWindows)('has no violation of WCAG 2.2 AA at %i px, %s', async (width, colorScheme) => {
    await stack.request('POST', '/v1/schedules', { name: 'often', task: 'ml.health_check', cron: '*/5 * * * *' })
    const created = await stack.request('POST', '/v1/webhooks', { url: receiver.url, description: 'seen' })
    const { page, faults } = await open({ width, colorScheme })
    const screens: readonly (readonly [path: string, text: string])[] = [
      ['/models', 'impairment-screen@2'],
      ['/models/impairment-screen/1', 'Terms and files'],
      ['/schedules', 'Every 5 minutes'],
      ['/schedules/often', 'Last tasks'],
      ['/schedules?form=new', 'At 03:00 every day'],
      ['/webhooks', 'seen'],
      ['/webhooks?form=new', 'Add the webhook'],
      [`/webhooks/${String(created.body['id'])}`, 'Deliveries'],
      ['/audit', 'session.create'],
      ['/audit?entry=1', 'Entry 1'],
      ['/access?tab=me', 'Ways to sign in'],
      ['/access?tab=keys', 'first admin key'],
      ['/access?tab=keys&form=new', 'Create the key'],
      ['/access?tab=sessions&all=yes', 'this one'],
      ['/access?tab=roles', 'admin, yours'],
    ]
    for (const [path, text] of screens) {
      await page.goto(stack.url + path)
      await page.getByText(text).first().waitFor({ state: 'attached' })
      await page.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
      expect([path, await violationsOf(page)]).toEqual([path, []])
    }
    await page.goto(`${stack.url}/access?tab=keys`)
    await page.getByRole('button', { name: 'Revoke first admin key' }).click()
    await page.getByText('You are signed in with this key').waitFor()
    expect(await violationsOf(page)).toEqual([])
    expect(faults).toEqual([])
  })
})
