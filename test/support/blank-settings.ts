import { variables } from '#libs/platform'

/** Every setting as an empty text, which means its default: a `.env` in the working folder has no say then. */
export const blankSettings: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(variables).flatMap(([name, { secret }]) => [[name, ''], ...(secret ? [[`${name}_FILE`, '']] : [])]),
)
