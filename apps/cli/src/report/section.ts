import { homedir } from 'node:os'
import { maskUrl, reasonOf, withinTime } from '#libs/platform'

/** Longest time that one section takes, in milliseconds, where nothing else is said. */
const longestMs = 10_000

/** Why a part could not be reached, in one sentence. */
export interface Unavailable {
  readonly unavailable: string
}

/** The part of a report about one thing. */
export type Section<Facts extends object = object> = Facts | Unavailable

/** Whether a section has facts. */
export const hasFacts = <Facts extends object>(section: Section<Facts>): section is Facts => !('unavailable' in section)

/** The facts of a part; or, if it fails or takes too long, why there are none. */
export const sectionOf = async <Facts extends object>(
  part: string,
  read: () => Promise<Facts>,
  ms = longestMs,
): Promise<Section<Facts>> => {
  try {
    const late: Unavailable = { unavailable: `${part} did not respond within ${ms / 1000} s.` }
    return await withinTime(read(), ms, late)
  } catch (error) {
    return { unavailable: withoutSecrets(reasonOf(error)) }
  }
}

/** Words without the passwords of URLs, and without the name of the account in paths. */
export const withoutSecrets = (text: string): string =>
  text.replaceAll(/[a-z]{1,30}:\/\/\S+/gi, (url) => maskUrl(url)).replaceAll(homedir(), '~')
