/** A name of the API as it is read: `timed_out` is `timed out`. */
export const plainWords = (name: string): string => name.replaceAll('_', ' ')

const list = new Intl.ListFormat('en-GB')

/** `a, b and c`. */
export const listOf = (words: readonly string[]): string => list.format(words)

/** `name@version`, as the API and its commands name a version of a model. */
export const referenceOf = ({ name, version }: { readonly name: string; readonly version: string }): string =>
  `${name}@${version}`
