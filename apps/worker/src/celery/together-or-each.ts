import { isDatabaseUnavailable } from '#libs/database'

/**
 * Handles items together and, if that fails, each by itself, so that one with which something goes wrong does not hold up
 * the others. `onFailure` gets what fails alone. @throws while the database is unavailable.
 */
export const togetherOrEach = async <Item>(
  items: readonly Item[],
  handle: (items: readonly Item[]) => Promise<void>,
  onFailure: (item: Item, error: unknown) => Promise<void>,
): Promise<void> => {
  try {
    await handle(items)
  } catch (error) {
    const [item] = items
    if (item === undefined || isDatabaseUnavailable(error)) throw error
    if (items.length === 1) return onFailure(item, error)
    for (const each of items) await togetherOrEach([each], handle, onFailure)
  }
}
