import { z } from 'zod'

type Fault = Parameters<z.core.$ZodErrorMap>[0]
type FaultOf<Code extends Fault['code']> = Extract<Fault, { code: Code }>

const typeWords: Readonly<Record<string, string>> = {
  string: 'must be a text',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  object: 'must be a JSON object',
  record: 'must be a JSON object',
  array: 'must be a list',
  tuple: 'must be a list',
  null: 'must be null',
  never: 'is not known here',
}

const formatWords: Readonly<Record<string, string>> = {
  uuid: 'must be a UUID',
  url: 'must be a URL',
  datetime: 'must be a time, such as 2030-01-31T12:00:00Z',
}

/** What is counted of a value that has a size. */
const units: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
  set: ['item', 'items'],
  map: ['member', 'members'],
  object: ['member', 'members'],
}

const sized = (origin: string, bound: number | bigint): string | undefined => {
  const unit = units[origin]
  return unit && `${bound} ${Number(bound) === 1 ? unit[0] : unit[1]}`
}

const tooBig = ({ origin, maximum, inclusive }: FaultOf<'too_big'>): string => {
  const size = sized(origin, maximum)
  if (size) return `must have at most ${size}`
  return inclusive === false ? `must be less than ${maximum}` : `must be at most ${maximum}`
}

const tooSmall = ({ origin, minimum, inclusive }: FaultOf<'too_small'>): string => {
  const size = sized(origin, minimum)
  if (size) return Number(minimum) === 1 ? 'must not be empty' : `must have at least ${size}`
  return inclusive === false ? `must be more than ${minimum}` : `must be at least ${minimum}`
}

const oneOf = (values: readonly unknown[]): string =>
  values.length === 1 ? `must be ${String(values[0])}` : `must be one of ${values.map(String).join(', ')}`

/** What each of the accepted forms requires, if that is said of the value as a whole. */
const ofUnion = ({ errors }: FaultOf<'invalid_union'>): string => {
  const first = errors.map(([issue]) => issue)
  if (first.length === 0 || first.some((issue) => !issue || issue.path.length > 0)) return 'has no accepted form'
  return [...new Set(first.map((issue) => issue?.message))].join(', or ')
}

/** Says what is accepted, in the words of every other fault; never a value. */
export const faultWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : (typeWords[issue.expected] ?? 'has another type')
    case 'too_big':
      return tooBig(issue)
    case 'too_small':
      return tooSmall(issue)
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : oneOf(issue.values)
    case 'invalid_format':
      return formatWords[issue.format] ?? 'has another form'
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return 'is not known here'
    case 'invalid_union':
      return ofUnion(issue)
    default:
      return 'is not valid'
  }
}

/** Has every schema of this process that has no words of its own speak in these. */
export const speakPlainly = (): void => {
  z.config({ localeError: faultWords })
}
