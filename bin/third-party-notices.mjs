import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shippedPackages } from './packages.mjs'

const rule = '-'.repeat(80)

/** What a package says of its licence and of those of others in it. */
const textsOf = (folder) =>
  readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice|third.?party)/i.test(file) && !/\.(json|js|ts)$/.test(file))
    .toSorted()
    .map((file) =>
      readFileSync(join(folder, file), 'utf8')
        .replaceAll('\r', '')
        .replace(/[ \t]+$/gm, '')
        .trim(),
    )
    .filter((text) => text !== '')

/** THIRD-PARTY-NOTICES.txt: the packages in the image and in the console, with their licences. */
export const thirdPartyNotices = () => {
  const packages = shippedPackages()
  const users = new Map()
  for (const { folder, name, version, license } of packages) {
    const texts = textsOf(folder)
    if (texts.length === 0) texts.push(`The package has no licence text. It names this licence: ${license}.`)
    for (const text of texts) users.set(text, [...(users.get(text) ?? []), `${name} ${version}`])
  }
  const lines = packages.map(({ name, version, license }) => `${name} ${version}: ${license}`)
  const sections = [...users].map(([text, names]) => `${rule}\n${[...new Set(names)].join('\n')}\n\n${text}`)
  return [
    'Third-party notices\n\nThe image of MemoryGuard and its console contain these packages. Made by `npm run generate`.',
    [...new Set(lines)].join('\n'),
    ...sections,
  ]
    .join('\n\n')
    .concat('\n')
}
