const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** `12,345`. */
export const formatCount = (count: number): string => whole.format(count)

/** `10,000+` where counting was given up. */
export const formatCapped = (count: number, isCapped: boolean): string => `${formatCount(count)}${isCapped ? '+' : ''}`

/** Up to three significant digits: `0.0123`, `1.5`, `1,230`. */
export const formatNumber = (value: number): string =>
  Math.abs(value) >= 1000 ? whole.format(value) : short.format(value)

/** A part of 1 as whole percent: `23 %`, `under 1 %`, `over 99 %`. */
export const formatPercent = (part: number): string => {
  if (part > 0 && part < 0.01) return 'under 1 %'
  if (part < 1 && part > 0.99) return 'over 99 %'
  return `${whole.format(part * 100)} %`
}

/** How often something happens, in the unit that gives a readable number: `1,230/s`, `4.5/min`, `2/h`. */
export const formatRate = (perSecond: number): string => {
  if (perSecond >= 1 || perSecond === 0) return `${formatNumber(perSecond)}/s`
  if (perSecond * 60 >= 1) return `${formatNumber(perSecond * 60)}/min`
  return `${formatNumber(perSecond * 3600)}/h`
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `1.5 GiB`. */
export const formatBytes = (bytes: number): string => {
  const power = bytes < 1 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${short.format(bytes / 1024 ** power)} ${byteUnits[power]}`
}

/** `1 task`, `2 tasks`. */
export const plural = (count: number, word: string, words = `${word}s`): string =>
  `${formatCount(count)} ${count === 1 ? word : words}`
