import type { Locator, Page } from 'playwright-core'

/** How somebody works with a page: by mouse and keyboard, or by keyboard alone. */
export interface Hands {
  /** Presses a button or follows a link. */
  press(target: Locator): Promise<void>
  /** Replaces what a field holds. */
  type(field: Locator, text: string): Promise<void>
  /** Chooses an option of a list that opens below its field. */
  choose(field: Locator, option: string | RegExp): Promise<void>
  /** Chooses one of several that stand beside each other, such as radio buttons. */
  pick(option: Locator): Promise<void>
}

/** More than any page of the console has that can be focused. */
const mostTabs = 300

const isFocused = (target: Locator): Promise<boolean> =>
  target.evaluate(
    (element: { readonly ownerDocument: { readonly activeElement: unknown } }) =>
      element === element.ownerDocument.activeElement,
  )

/** Presses Tab until the target has the focus, as a person would who knows where it is. */
const tabTo = async (page: Page, target: Locator): Promise<void> => {
  await target.waitFor({ state: 'attached' })
  for (let count = 0; count < mostTabs; count += 1) {
    if (await isFocused(target)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`The keyboard does not reach ${String(target)}`)
}

/** Moves down an open list to an option and takes it. */
const takeOption = async (page: Page, option: string | RegExp): Promise<void> => {
  const wanted = page.getByRole('option', { name: option })
  await wanted.waitFor()
  const count = await page.getByRole('option').count()
  for (let step = 0; step <= count; step += 1) {
    if ((await wanted.getAttribute('data-combobox-selected')) !== null) return page.keyboard.press('Enter')
    await page.keyboard.press('ArrowDown')
  }
  throw new Error(`The arrow keys do not reach the option ${String(option)}`)
}

export const withPointer = (page: Page): Hands => ({
  press: (target) => target.click(),
  type: (field, text) => field.fill(text),
  choose: async (field, option) => {
    await field.click()
    await page.getByRole('option', { name: option }).click()
  },
  pick: (option) => option.click({ force: true }),
})

export const withKeyboard = (page: Page): Hands => ({
  press: async (target) => {
    await tabTo(page, target)
    await page.keyboard.press('Enter')
  },
  type: async (field, text) => {
    await tabTo(page, field)
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type(text)
  },
  choose: async (field, option) => {
    await tabTo(page, field)
    await page.keyboard.press('ArrowDown')
    await takeOption(page, option)
  },
  pick: async (option) => {
    // Of a group of radio buttons, Tab reaches the chosen one; the arrow keys move on.
    const group = page.locator(`input[name="${await option.getAttribute('name')}"]`)
    await tabTo(page, group.and(page.locator(':checked')))
    for (let count = await group.count(); count > 0 && !(await option.isChecked()); count -= 1) {
      await page.keyboard.press('ArrowDown')
    }
  },
})
