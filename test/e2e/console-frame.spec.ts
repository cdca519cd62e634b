import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { checkedWindows, hasChromium, violationsOf } from '../support/console-browser.js'
import { insertKey } from '../support/query.js'
import { waiting } from '../support/requests.js'
import { useConsole } from '../support/use-console.js'

const built = fileURLToPath(new URL('../../dist/apps/console/', import.meta.url))

describe.runIf(hasChromium())('the frame of the console', () => {
  const { stack, open } = useConsole({ broker: 'postgres' })

  it('signs in with a key, after saying what is wrong with another', async () => {
    const { page, faults } = await open({ key: null, path: '/overview' })
    const key = page.getByLabel('API key')
    await key.fill('mg_wrong')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('This key is not valid').waitFor()
    await key.fill(stack.key)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(faults).toEqual([])
  })

  it('signs in by a link once, and the token leaves the address', async () => {
    const { body } = await stack.request('POST', '/v1/session/link')
    const path = `/#start=${String(body['link_token'])}`
    const first = await open({ key: null, path })
    await first.page.getByRole('heading', { name: 'Welcome to MemoryGuard' }).waitFor()
    expect(first.page.url()).not.toContain('start=')
    const second = await open({ key: null, path })
    await second.page.getByText('This link has been used or is older than 10 minutes').waitFor()
    await second.page.getByLabel('API key').waitFor()
  })

  it('asks to sign in again over the page when the session has ended, and keeps what was typed', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const { page, context } = await open({ key, path: '/overview' })
    await page.getByText('All is well').waitFor()
    await page.getByRole('button', { name: 'Find' }).click()
    await page.getByRole('combobox', { name: /^Find/ }).fill('over')
    await context.clearCookies()
    await page.getByText('Your session has ended').waitFor()
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('Your session has ended').waitFor({ state: 'detached' })
    expect(await page.getByRole('combobox', { name: /^Find/ }).inputValue()).toBe('over')
  })

  it('says that there is no page at an unknown address', async () => {
    const { page } = await open({ path: '/overview/none' })
    await page.getByText('There is no page at this address').waitFor()
    expect((await stack.get('/nothing')).status).toBe(404)
  })

  it('says that the server is away, keeps the page, and goes on when it is back', async () => {
    const { page } = await open({ path: '/overview' })
    await page.getByText('All is well').waitFor()
    await page.route('**/v1/**', (route) => route.abort())
    await page.getByText('No connection to the server').waitFor()
    expect(await page.getByText('Ended tasks by outcome').first().isVisible()).toBe(true)
    await page.unroute('**/v1/**')
    await page.getByText('No connection to the server').waitFor({ state: 'detached' })
  })

  it('is reached by keys alone', async () => {
    const { page } = await open({ path: '/overview' })
    await page.getByText('All is well').waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the page')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Control+k')
    await page.keyboard.type('overv')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  it.each(checkedWindows)('has no violation of WCAG 2.2 AA at %i px, %s', async (width, colorScheme) => {
    const { page, faults } = await open({ width, colorScheme, path: '/overview' })
    await page.getByText('All is well').waitFor()
    expect(await violationsOf(page)).toEqual([])
    await page.getByRole('button', { name: 'first admin key' }).click()
    await page.getByRole('button', { name: 'Sign out' }).waitFor()
    expect(await violationsOf(page)).toEqual([])
    await page.keyboard.press('Escape')
    await page.keyboard.press('Control+k')
    await page.getByRole('listbox').waitFor()
    expect(await violationsOf(page)).toEqual([])
    expect(faults).toEqual([])
  })

  it('greets whoever opens the first link with a result and what to do next, and later with the overview', async () => {
    await stack.post('/v1/predictions', { user_id: 123, health_metrics: { mmse_score: 24, age: 72 } }, waiting)
    const { page, context, faults } = await open({ path: '/welcome' })
    await page.getByText(/^Of 100 people with these answers/).waitFor()
    expect(await violationsOf(page)).toEqual([])
    expect(faults).toEqual([])
    await page.getByRole('link', { name: 'Why, and by which model' }).click()
    await page.getByRole('heading', { name: 'Prediction 1' }).waitFor()
    const { body } = await stack.request('POST', '/v1/session/link')
    const later = await context.newPage()
    await later.goto(`${stack.url}/#start=${String(body['link_token'])}`)
    await later.getByRole('heading', { name: 'Overview' }).waitFor()
  })

  it('is sent with at most 300 kB of JavaScript, gzipped, and with a policy that allows its own files alone', async () => {
    const { page } = await open({ key: null, path: '/' })
    await page.getByLabel('API key').waitFor()
    const html = readFileSync(`${built}index.html`, 'utf8')
    const scripts = [...html.matchAll(/"\.\/(assets\/[^"]+\.js)"/g)].map(([, name = '']) => name)
    const bytes = scripts
      .map((name) => gzipSync(readFileSync(built + name)).length)
      .reduce((sum, size) => sum + size, 0)
    expect(scripts.length).toBeGreaterThan(0)
    expect(bytes).toBeLessThan(300_000)
    const { headers } = await stack.get('/', { accept: 'text/html' })
    expect(headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'self'; style-src 'self' 'nonce-/,
    )
    const script = await stack.get(`/${scripts[0]}`)
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  })
})
