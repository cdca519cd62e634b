/** Most characters of a cell: many times what a number or a word has. */
export const maxCellLength = 256

/** What statistics programs, spreadsheets and databases write for a missing value, in lower case. */
export const usualMissing = [
  ...['na', '#na', 'n/a', '#n/a', '<na>', 'nan', '-nan', 'null', '#null!', 'nil', 'none', '\\n'],
  ...['.', '?', '-', '--'],
] as const

/** Which cells are missing values, the empty ones apart. */
export class MissingValues {
  private readonly markers: ReadonlySet<string>
  private readonly longest: number
  /** Some markers are numbers, such as -9. */
  readonly hasNumbers: boolean

  /** `usual`, `empty` (no others), or a list of markers with commas between them; capitals do not matter. */
  constructor(readonly wish: string = 'usual') {
    const listed = wish === 'empty' ? [] : wish.split(',').map((marker) => marker.trim().toLowerCase())
    this.markers = new Set(wish === 'usual' ? usualMissing : listed)
    this.longest = Math.max(0, ...[...this.markers].map(({ length }) => length))
    this.hasNumbers = [...this.markers].some((marker) => toNumber(marker) !== undefined)
  }

  /** Whether a trimmed cell that is not empty stands for a missing value. */
  has(cell: string): boolean {
    return cell.length <= this.longest && this.markers.has(cell.toLowerCase())
  }
}

const decimalNumber = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const digitsInGroups = /^[+-]?\d[\d.,'\s]*$/
/** A number with more characters than this is none that anyone measured. */
const maxNumberLength = 64

/** A trimmed cell as a number; undefined if it is none. Whole numbers may be written `1.0` or `1e0`. */
export const toNumber = (cell: string, hasDecimalComma = false): number | undefined => {
  if (cell.length > maxNumberLength) return undefined
  const text = hasDecimalComma && cell.includes(',') && !cell.includes('.') ? cell.replace(',', '.') : cell
  return decimalNumber.test(text) ? Number(text) : undefined
}

/** What is wrong with a trimmed cell that is neither number nor missing nor a word; undefined if it may be a word. */
export const cellFault = (cell: string): string | undefined => {
  if (cell.length > maxCellLength) return `must have at most ${maxCellLength} characters`
  if (digitsInGroups.test(cell)) {
    return 'must be written without thousands separators and with a decimal point (a decimal comma only where semicolons, tabs or bars separate the columns)'
  }
  return undefined
}
