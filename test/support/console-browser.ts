import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import type { Stack } from './stack.js'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** Whether the tests of the console can run here; `.ci/run` installs Chromium. */
export const hasChromium = (): boolean => existsSync(executablePath)

export const startChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-dev-shm-usage'],
  })

/** Runs in the page: what the content security policy stopped. */
const reportViolations = `document.addEventListener('securitypolicyviolation', (event) =>
  console.error('policy violated: ' + event.violatedDirective + ' by ' + event.blockedURI))`

export interface ConsoleOptions {
  /** Width of the window in pixels. */
  readonly width?: number
  readonly colorScheme?: 'light' | 'dark'
  /** API key that signs in before the page is opened; null for nobody. Default: the stack's. */
  readonly key?: string | null
  readonly path?: string
}

/** A window with the console. */
export interface ConsoleWindow {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors on the browser's console, violations of the content security policy, and requests to other servers. */
  readonly faults: readonly string[]
  open(path: string): Promise<void>
  close(): Promise<void>
}

/** Opens the console as somebody would, and watches for what nobody would see. */
export const openConsole = async (
  browser: Browser,
  stack: Stack,
  options: ConsoleOptions = {},
): Promise<ConsoleWindow> => {
  const { width = 1280, colorScheme = 'light', key = stack.key, path } = options
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' })
  const faults: string[] = []
  const page = await context.newPage()
  page.on('console', (message) => {
    // Responses that a test provokes are no fault of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(String(error.stack)))
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== stack.url && !['blob:', 'data:'].includes(protocol)) faults.push(`request to ${origin}`)
  })
  await page.addInitScript(reportViolations)
  if (key !== null) {
    const response = await context.request.post(`${stack.url}/v1/session`, {
      data: { api_key: key },
      headers: { origin: stack.url, 'sec-fetch-site': 'same-origin' },
    })
    if (!response.ok()) throw new Error(`The sign-in failed: ${await response.text()}`)
  }
  const open = async (to: string) => void (await page.goto(stack.url + to))
  if (path !== undefined) await open(path)
  return { page, context, faults, open, close: () => context.close() }
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Runs in the page, whose types are not those of Node. */
const runAxe = `axe
  .run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'] })
  .then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => id + ' at ' + target.join(' ') + ': ' + failureSummary)))`

/** Windows in which every screen is checked: a width in pixels and a theme. */
export const checkedWindows = [
  [360, 'light'],
  [360, 'dark'],
  [1280, 'light'],
  [1280, 'dark'],
] as const

/** Violations of WCAG 2.2 AA on the page as it is, each with where it is. */
export const violationsOf = async (page: Page): Promise<readonly string[]> => {
  await page.evaluate(axe)
  return page.evaluate<readonly string[]>(runAxe)
}
