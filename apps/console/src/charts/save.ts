/** The numbers of a chart as a table. */
export interface ChartTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Lets the browser save a file. */
export const saveFile = (name: string, content: Blob): void => {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

/** A cell that a spreadsheet would take for a formula is marked as text. */
const csvCell = (cell: string): string => {
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(cell) ? `'${cell}` : cell
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** RFC 4180. */
export const toCsv = ({ head, rows }: ChartTable): string =>
  [head, ...rows].map((row) => row.map(csvCell).join(',') + '\r\n').join('')

export const saveCsv = (name: string, table: ChartTable): void =>
  saveFile(name, new Blob([toCsv(table)], { type: 'text/csv;charset=utf-8' }))

const drawn = [
  'fill',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'opacity',
  'fill-opacity',
  'font-size',
  'font-family',
  'font-weight',
  'text-anchor',
] as const

/** Saves the SVG below an element as a picture, twice as fine as the screen's, on the colour of the page. */
export const savePng = async (name: string, holder: HTMLElement | null): Promise<void> => {
  const svg = holder?.querySelector('svg')
  if (!svg) return
  const { width, height } = svg.getBoundingClientRect()
  const copy = svg.cloneNode(true) as SVGSVGElement
  const originals = svg.querySelectorAll('*')
  copy.querySelectorAll('*').forEach((element, index) => {
    const original = originals[index]
    if (!original) return
    const style = getComputedStyle(original)
    for (const property of drawn) element.setAttribute(property, style.getPropertyValue(property))
  })
  copy.setAttribute('width', String(width))
  copy.setAttribute('height', String(height))
  const image = new Image()
  image.src = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' }))
  await image.decode()
  const canvas = Object.assign(document.createElement('canvas'), { width: width * 2, height: height * 2 })
  const context = canvas.getContext('2d')
  if (!context) return
  context.scale(2, 2)
  context.fillStyle = getComputedStyle(document.body).backgroundColor
  context.fillRect(0, 0, width, height)
  context.drawImage(image, 0, 0, width, height)
  URL.revokeObjectURL(image.src)
  canvas.toBlob((blob) => blob && saveFile(name, blob))
}
