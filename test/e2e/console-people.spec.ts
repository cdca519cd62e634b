import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addClinicModels } from '../support/clinic-models.js'
import { checkedWindows, hasChromium, violationsOf, type ConsoleOptions } from '../support/console-browser.js'
import { insertKey } from '../support/query.js'
import { bearer, waiting } from '../support/requests.js'
import { useConsole } from '../support/use-console.js'

/** Pages of a PDF. */
const pagesOf = (pdf: Buffer): number => [...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b(?!s)/g)].length

describe.runIf(hasChromium())('results and people in the console', () => {
  const { stack, open: openWindow } = useConsole({
    broker: 'postgres',
    testModels: addClinicModels,
    env: { TASK_MAX_RETRIES: '0' },
  })

  const open = async (options: ConsoleOptions) => {
    const window = await openWindow(options)
    return { ...window, go: (path: string) => window.open(path) }
  }
  const predict = async (
    body: Readonly<Record<string, unknown>>,
    headers: Readonly<Record<string, string>> = waiting,
  ) => {
    const response = await stack.post('/v1/predictions', body, headers)
    expect(response.status).toBeLessThan(300)
    return Number(response.body['id'])
  }
  const record = async (person: number, day: string, score: number) => {
    const body = { recorded_at: day, health_metrics: { mmse_score: score, age: 75, sex: 'female' } }
    const { status } = await stack.post(`/v1/users/${person}/health-metrics`, body)
    expect(status).toBe(201)
  }
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })

  const full: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'impairment-screen': { mmse_score: 8, age: 76, nwbv: 0.6, sex: 'male', ses: 2 },
    'dementia-risk': { mmse_score: 24, age: 62, sex: 'female', bvrt: 3 },
    ukbdrs: { age: 52, sex: 'female', diabetes: 0 },
    caide: { age: 60, sex: 'male', education_years: 8, bmi: 31 },
  }

  it.each(Object.entries(full))(
    'shows a result of %s with its reasons on one A4 page',
    async (model, health_metrics) => {
      const id = await predict({ user_id: 20, model, health_metrics, explain: true })
      const { page, faults } = await open({ path: `/predictions/${id}` })
      await page
        .getByText(/^Of 1(00|,000) people with these answers, /)
        .first()
        .waitFor()
      await page
        .getByText(/log-odds\)$/)
        .first()
        .waitFor()
      await page.getByText('Decision support, not diagnosis:', { exact: false }).last().waitFor()
      expect(pagesOf(await page.pdf({ preferCSSPageSize: true }))).toBe(1)
      expect(faults).toEqual([])
    },
  )

  it('says what was extrapolated, and no more of the number than the model knows', async () => {
    const id = await predict({ user_id: 21, health_metrics: { mmse_score: 8, age: 76, nwbv: 0.6 } })
    const { page } = await open({ path: `/predictions/${id}` })
    await page
      .getByText('Of 100 people with these answers, more than 95 have cognitive impairment now; fewer than 5 do not.')
      .waitFor()
    await page.getByText('Outside what the model was trained on: MMSE and Normalised whole-brain volume').waitFor()
    expect(await page.getByText('over 95 %', { exact: true }).getAttribute('title')).toMatch(/^Stored value: 0\.99/)
  })

  it('has a patient view, by a switch, that begins with what it is not and has no reasons', async () => {
    const id = await predict({ user_id: 21, health_metrics: { mmse_score: 25, age: 76 } })
    const { page } = await open({ path: `/predictions/${id}` })
    await page.getByRole('heading', { name: 'What moved this estimate' }).waitFor()
    await page.getByRole('switch', { name: 'Patient view' }).click()
    await page.getByText('This is not a diagnosis').waitFor()
    expect(await page.getByRole('heading', { name: 'What moved this estimate' }).count()).toBe(0)
    expect(page.url()).toContain('view=patient')
  })

  it('shows a prediction that waits, and its result as soon as it is there', async () => {
    await stack.post('/v1/queues/predictions/pause')
    const id = await predict({ user_id: 22, health_metrics: { mmse_score: 25, age: 76 } }, {})
    const { page } = await open({ path: `/predictions/${id}` })
    await page.getByText('It waits for a worker').waitFor()
    await stack.post('/v1/queues/predictions/resume')
    await page.getByText(/^Of 100 people/).waitFor()
  })

  it('says why a prediction failed, and leads back to the form', async () => {
    const id = await predict({ user_id: 23, model: 'throwing', health_metrics: { load_points: 7 } })
    const { page } = await open({ path: `/predictions/${id}` })
    await page.getByText('It could not be computed').waitFor()
    await page.getByRole('link', { name: 'Enter the values again' }).click()
    expect(await page.getByRole('textbox', { name: 'Person number' }).inputValue()).toBe('23')
  })

  it('says that there is no such prediction', async () => {
    const { page } = await open({ path: '/predictions/999999' })
    await page.getByText('There is no such thing here').waitFor()
  })

  it('opens a person by number, and corrects and deletes a measurement', async () => {
    await record(31, '2024-05-01', 27)
    const { page } = await open({ path: '/people' })
    await page.getByRole('textbox', { name: 'Person number' }).fill('31')
    await button(page, 'Open').click()
    await page.getByRole('heading', { name: 'Person 31' }).waitFor()
    await page.getByRole('tab', { name: 'Measurements' }).click()
    await button(page, 'Correct').click()
    await page.getByRole('dialog').getByRole('textbox', { name: 'MMSE' }).fill('25')
    await button(page, 'Save').click()
    await page.getByRole('cell', { name: /MMSE 25 points/ }).waitFor()
    // The next dialog is not to be taken for this one.
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const { body } = await stack.get('/v1/users/31/health-metrics')
    expect(body['items']).toMatchObject([
      { recorded_at: '2024-05-01T00:00:00.000Z', health_metrics: { mmse_score: 25, age: 75, sex: 0 } },
    ])
    // A correction that the API refuses leaves what stood there.
    await page.route('**/health-metrics', async (route) => {
      const body = route.request().postDataJSON() as { health_metrics: { mmse_score: number } } | null
      if (body?.health_metrics.mmse_score !== 20) return route.continue()
      return route.fulfill({ status: 422, json: { title: 'Refused', status: 422, detail: 'Refused by the test.' } })
    })
    await button(page, 'Correct').click()
    await page.getByRole('dialog').getByRole('textbox', { name: 'MMSE' }).fill('20')
    await button(page, 'Save').click()
    await page.getByText('Refused by the test.').waitFor()
    await button(page, 'Cancel').click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('cell', { name: /MMSE 25 points/ }).waitFor()
    await button(page, 'Delete').click()
    await page
      .getByRole('dialog')
      .getByText(/^Removes .*MMSE 25 points/)
      .waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('Nothing has been measured yet').waitFor()
  })

  it('erases a person after the number was typed', async () => {
    const id = await predict({ user_id: 32, health_metrics: { mmse_score: 25, age: 76 } })
    const { page } = await open({ path: '/people/32' })
    await button(page, 'Erase this person').click()
    const erase = button(page, 'Erase for good')
    expect(await erase.isDisabled()).toBe(true)
    await page.getByRole('dialog').getByRole('textbox').fill('32')
    await erase.click()
    await page.getByRole('heading', { name: 'People' }).waitFor()
    expect((await stack.get(`/v1/predictions/${id}`)).status).toBe(410)
  })

  it('lets a viewer read, and not submit', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'viewer' })
    const id = await predict({ user_id: 33, health_metrics: { mmse_score: 25, age: 76 } })
    const { page, go } = await open({ key, path: `/predictions/${id}` })
    await page.getByText('Nobody has asked for an explanation yet.').waitFor()
    expect(await button(page, 'Explain this estimate').count()).toBe(0)
    await go('/predict')
    await page.getByText('You may read predictions, and not make them').waitFor()
    expect(await button(page, 'Predict').count()).toBe(0)
    await go('/people/33?tab=forecast')
    await page.getByText('There is no forecast of this person yet').waitFor()
    expect(await button(page, 'Make a forecast').count()).toBe(0)
    expect(await button(page, 'Erase this person').count()).toBe(0)
  })

  it('shows those whose key is for one person that person alone', async () => {
    const key = await insertKey(stack.databaseUrl, { role: 'submitter', userId: 34 })
    await stack.post(
      '/v1/predictions',
      { user_id: 34, health_metrics: { mmse_score: 25, age: 76 } },
      { ...bearer(key), ...waiting },
    )
    const other = await predict({ user_id: 35, health_metrics: { mmse_score: 25, age: 76 } })
    const { page, go } = await open({ key, path: '/people' })
    await page.getByRole('heading', { name: 'Person 34' }).waitFor()
    await go('/people/35')
    await page.getByText('Your key is for one person').waitFor()
    await go(`/predictions/${other}`)
    await page.getByText('There is no such thing here').waitFor()
    await go('/predict')
    const person = page.getByRole('textbox', { name: 'Person number' })
    await person.waitFor()
    expect(await person.getAttribute('readonly')).not.toBeNull()
    expect(await person.inputValue()).toBe('34')
  })

  it.each(checkedWindows)('has no violation of WCAG 2.2 AA at %i px, %s', async (width, colorScheme) => {
    const person = 40
    await stack.post(`/v1/users/${person}/health-metrics`, {
      recorded_at: '2024-05-01',
      health_metrics: { mmse_score: 27 },
    })
    const id = await predict({ user_id: person, health_metrics: { mmse_score: 12, age: 76 }, explain: true })
    const { page, faults, go } = await open({ width, colorScheme, path: '/predict' })
    const check = async (what: string) => expect([what, ...(await violationsOf(page))]).toEqual([what])
    await page.getByText('What is known of the person').waitFor()
    await page.getByRole('textbox', { name: 'MMSE' }).fill('12')
    await page.getByRole('textbox', { name: 'Age' }).fill('900')
    await button(page, 'Predict').click()
    await page.getByText('Nothing has been sent yet').waitFor()
    await check('form')
    await go(`/predictions/${id}`)
    await page
      .getByText(/log-odds\)$/)
      .first()
      .waitFor()
    await page.getByText('Limits', { exact: false }).first().click()
    await check('result')
    await page.getByRole('switch', { name: 'Patient view' }).click()
    await page.getByText('This is not a diagnosis').waitFor()
    await check('patient view')
    await go('/people')
    await page.getByRole('link', { name: String(id), exact: true }).waitFor()
    await check('people')
    await go(`/people/${person}`)
    await page.getByRole('img', { name: /^Impairment screen/ }).waitFor()
    await check('person')
    await button(page, 'Erase this person').click()
    await page.getByRole('dialog').waitFor()
    await check('erase')
    await go(`/people/${person}?tab=measurements`)
    await button(page, 'Correct').click()
    await page.getByRole('dialog').waitFor()
    await check('measurement')
    await go(`/people/${person}?tab=forecast`)
    await button(page, /^Make a (new )?forecast/).click()
    await page.getByRole('img', { name: /^MMSE, measured/ }).waitFor()
    await page.getByText('Numbers').click()
    await check('forecast')
    expect(faults).toEqual([])
  })
})
