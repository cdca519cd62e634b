import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { addClinicModels } from '../support/clinic-models.js'
import { hasChromium } from '../support/console-browser.js'
import { insertKey } from '../support/query.js'
import { useConsole } from '../support/use-console.js'

/** Pages of a PDF. */
const pagesOf = (pdf: Buffer): number => [...pdf.toString('latin1').matchAll(/\/Type\s*\/Page\b(?!s)/g)].length

const focusedName = `(() => {
  const { activeElement: at } = document
  return at.getAttribute('aria-label') || at.labels?.[0]?.textContent || at.textContent || ''
})()`

/** Presses Tab until something with this name has the focus. */
const tabTo = async (page: Page, name: RegExp): Promise<void> => {
  for (let step = 0; step < 80; step += 1) {
    if (name.test(await page.evaluate<string>(focusedName))) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not reach ${name}`)
}

describe.runIf(hasChromium())('predictions in the console', () => {
  const { stack, open } = useConsole({ broker: 'postgres', testModels: addClinicModels })
  let lastPerson = 500

  const newPerson = () => (lastPerson += 1)
  const predictionsOf = async (person: number) => {
    const { body } = await stack.get(`/v1/predictions?user_id=${person}`)
    return body['items'] as { readonly input_features: unknown; readonly model: unknown }[]
  }
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
  const field = (page: Page, name: string) => page.getByRole('textbox', { name })
  const fillForm = async (page: Page) => {
    await field(page, 'MMSE').fill('24')
    await field(page, 'Age').fill('76')
    await page.getByRole('radio', { name: 'female' }).check()
  }

  it('go from the form to the result, its reasons, the measurements, the forecast and one printed page', async () => {
    const person = newPerson()
    const { page, faults } = await open({ path: `/predict?person=${person}` })
    await fillForm(page)
    await button(page, 'Mark 4 empty inputs as unknown').click()
    await button(page, 'Predict').click()
    await page
      .getByText(/^Of 100 people with these answers, about \d+ have cognitive impairment now; \d+ do not\.$/)
      .waitFor()
    await page.getByText(/^Not given: Education, /).waitFor()
    expect((await predictionsOf(person)).map(({ input_features: given }) => given)).toEqual([
      { mmse_score: 24, age: 76, sex: 0 },
    ])
    await button(page, 'Explain this estimate').click()
    await page
      .getByText("These are the model's reasons, not causes; changing a value need not change the risk.")
      .waitFor()
    const reasons = page.getByRole('list', { name: /^What moved/ }).getByRole('listitem')
    expect(await reasons.count()).toBe(7)
    expect(await reasons.first().textContent()).toMatch(/^MMSE: 24 points raised it \(\+\d\.\d\d log-odds\)$/)
    expect(pagesOf(await page.pdf({ preferCSSPageSize: true }))).toBe(1)

    await page.getByRole('link', { name: `Person ${person}` }).click()
    await page.getByRole('tab', { name: 'Measurements' }).click()
    await button(page, 'Add a measurement').click()
    const dialog = page.getByRole('dialog', { name: 'Add a measurement' })
    await dialog.getByLabel('Day of the measurement').fill('2026-03-02')
    await dialog.getByRole('textbox', { name: 'MMSE' }).fill('26')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'MMSE 26 points' }).waitFor()
    await page.getByRole('tab', { name: 'Forecast' }).click()
    await button(page, 'Make a forecast').click()
    await page.getByText(/^In 2 years, 8 of 10 people with such a history score between \d+ and \d+, /).waitFor()
    const chart = page.getByRole('img', { name: /^MMSE, measured and expected/ })
    await chart.press('Home')
    await page.getByText('2 Mar 2026: measured 26').waitFor()
    await chart.press('End')
    await page.getByText(/: expected \d+; 8 of 10: \d+ to \d+; 19 of 20: \d+ to \d+$/).waitFor()
    expect(faults).toEqual([])
  })

  it('are made by keys alone', async () => {
    const person = newPerson()
    const { page } = await open({ path: '/overview' })
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('p')
    await field(page, 'Person number').waitFor()
    await tabTo(page, /^Person number/)
    await page.keyboard.type(String(person))
    await tabTo(page, /^MMSE \(points\)/)
    await page.keyboard.type('24')
    await tabTo(page, /^Age \(years\)/)
    await page.keyboard.type('76')
    await tabTo(page, /^female/)
    await page.keyboard.press('Space')
    // Enter in a field submits, and what is missing gets the focus.
    await page.keyboard.press('Enter')
    await page.getByText('Look again at Education').waitFor()
    await expect.poll(() => page.evaluate<string>(focusedName)).toMatch(/^Education/)
    await page.keyboard.press('Shift+Tab')
    for (const name of ['Education', 'Socioeconomic status', 'Normalised whole-brain volume', 'Estimated total']) {
      await tabTo(page, new RegExp(`^${name}.*: unknown`))
      await page.keyboard.press('Space')
    }
    await tabTo(page, /^Predict$/)
    await page.keyboard.press('Enter')
    await page.getByText(/^Of 100 people with these answers/).waitFor()
    await tabTo(page, /^Explain this estimate/)
    await page.keyboard.press('Enter')
    await page.getByText(/MMSE: 24 points raised it/).waitFor()
    await tabTo(page, new RegExp(`^Person ${person}`))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: `Person ${person}` }).waitFor()
    await tabTo(page, /^Predictions$/)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await tabTo(page, /^Make a forecast/)
    await page.keyboard.press('Enter')
    await page.getByText('This is not a forecast of this person').waitFor()
  })

  it('say what a model does with a value before it is sent', async () => {
    const { page } = await open({ path: '/predict?person=1' })
    const sent: string[] = []
    page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()))
    await field(page, 'MMSE').fill('31')
    await page.getByText('31 is above 30 points: the model refuses it.').waitFor()
    await field(page, 'Age').fill('864')
    await page.getByText('This looks like months.').waitFor()
    await button(page, 'Predict').click()
    await page.getByText(/^Look again at MMSE, Age, Sex, /).waitFor()
    expect(sent).toEqual([])
    await button(page, 'Use 72 years').click()
    expect(await field(page, 'Age').inputValue()).toBe('72')
    await field(page, 'MMSE').fill('8')
    await page.getByText('Outside 15 to 30, where the model was trained.').waitFor()
  })

  it('offer a cholesterol in mg/dL as mmol/L, and keep what was entered when the model changes', async () => {
    const { page } = await open({ path: '/predict?person=1' })
    await field(page, 'Age').fill('55')
    await page.getByRole('combobox', { name: 'Which question' }).click()
    await page.getByRole('option', { name: /^CAIDE/ }).click()
    await field(page, 'Total cholesterol').fill('200')
    await button(page, 'Use 5.17 mmol/L').click()
    expect(await field(page, 'Total cholesterol').inputValue()).toBe('5.17')
    expect(await field(page, 'Age').inputValue()).toBe('55')
  })

  it('ask for what a made-up model needs, and speak in its words', async () => {
    const person = newPerson()
    const { page } = await open({ path: `/predict?person=${person}&model=moon-risk@1` })
    await page.getByText('Howls at night').waitFor()
    await page.getByRole('radio', { name: 'every night' }).check()
    await field(page, 'Moonlight (lux)').fill('5')
    await page.getByText('0 to 30; usually 2 to 20.').waitFor()
    await field(page, 'Age').fill('60')
    await page.getByRole('radio', { name: 'female', exact: true }).check()
    await button(page, /^Mark \d+ empty inputs as unknown/).click()
    await button(page, 'Predict').click()
    await page.getByText(/will have sleepwalking within 14 years; \d+ will not\.$/).waitFor()
    await page.getByText('every night', { exact: true }).waitFor()
  })

  it('say in words that an input is of an unknown kind, and go on without it', async () => {
    const { page, faults } = await open({ key: stack.key })
    await page.route('**/v1/models/impairment-screen/1', async (route) => {
      const response = await route.fetch()
      const model = (await response.json()) as { inputs: { name: string }[] }
      const inputs = model.inputs.map((input) =>
        input.name === 'ses' ? { name: 'ses', title: 'Gait film', kind: 'video', required: false } : input,
      )
      await route.fulfill({ response, json: { ...model, inputs } })
    })
    await page.goto(`${stack.url}/predict?person=${newPerson()}`)
    await page.getByText('This page does not know how to ask for this kind of input.').waitFor()
    await fillForm(page)
    await button(page, /as unknown$/).click()
    await button(page, 'Predict').click()
    await page.getByText(/^Of 100 people/).waitFor()
    expect(faults).toEqual([])
  })

  it('lose nothing that was typed when the session ends', async () => {
    const person = newPerson()
    const key = await insertKey(stack.databaseUrl, { role: 'submitter' })
    const { page, context } = await open({ key, path: `/predict?person=${person}` })
    await fillForm(page)
    await button(page, /as unknown$/).click()
    await context.clearCookies()
    await button(page, 'Predict').click()
    await page.getByText('Your session has ended').waitFor()
    await page.getByLabel('API key').fill(key)
    await button(page, 'Sign in').click()
    await page.getByText('Your session has ended').waitFor({ state: 'detached' })
    expect(await field(page, 'MMSE').inputValue()).toBe('24')
    await button(page, 'Predict').click()
    await page.getByText(/^Of 100 people/).waitFor()
    expect(await predictionsOf(person)).toHaveLength(1)
  })

  it('are made once, also when the response of the first try was lost', async () => {
    const person = newPerson()
    const { page } = await open({ path: `/predict?person=${person}` })
    await fillForm(page)
    await button(page, /as unknown$/).click()
    await page.route('**/v1/predictions', async (route) => {
      await route.fetch()
      await route.abort()
    })
    await button(page, 'Predict').click()
    await page.getByText('What you entered is still here. Another try makes no second prediction.').waitFor()
    await page.unroute('**/v1/predictions')
    await button(page, 'Predict').dblclick()
    await page.getByText(/^Of 100 people/).waitFor()
    expect(await predictionsOf(person)).toHaveLength(1)
  })
})
