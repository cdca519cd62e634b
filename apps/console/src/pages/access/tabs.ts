/** Parts of the page, as its address names them. */
export const accessTabs = ['me', 'keys', 'sessions', 'roles'] as const
export type AccessTab = (typeof accessTabs)[number]
