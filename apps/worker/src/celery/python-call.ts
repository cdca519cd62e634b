import { builtinError, plainValue, type CeleryMessage, type PythonException } from '#libs/celery'
import { catalogue } from '#libs/tasks/contracts'
import type { z } from 'zod'
import type { TaskName } from './celery-tasks.js'

/** A task as the Python callers have it: its function, and its parameters in their order. */
interface PythonFunction {
  readonly name: string
  readonly parameters: readonly string[]
  /** How many of them have no default. */
  readonly required: number
  /** The function gets its task as a first argument, which Python counts. */
  readonly isBound: boolean
}

/** The functions of the replaced system. */
const functions: Readonly<Partial<Record<TaskName, PythonFunction>>> = {
  'ml.process_prediction': {
    name: 'process_prediction_task',
    parameters: ['prediction_id', 'user_id', 'health_metrics'],
    required: 2,
    isBound: true,
  },
  'ml.batch_predictions': {
    name: 'batch_predictions_task',
    parameters: ['user_ids', 'health_metrics_list'],
    required: 1,
    isBound: true,
  },
  'ml.generate_explanation': {
    name: 'generate_explanation_task',
    parameters: ['prediction_id'],
    required: 1,
    isBound: false,
  },
  'ml.update_forecasts': { name: 'update_forecasts_task', parameters: ['user_id'], required: 1, isBound: false },
}

/** The function of a task; one that Python never had is called with the arguments of its contract, in their order. */
const functionOf = (task: TaskName): PythonFunction => {
  const known = functions[task]
  if (known) return known
  const { shape }: { readonly shape: Readonly<Record<string, z.ZodType>> } = catalogue[task].args
  const isNeeded = (parameter: string) => shape[parameter]?.safeParse(undefined).success === false
  const names = Object.keys(shape)
  const needed = names.filter(isNeeded)
  return {
    name: `${task.split('.').at(-1) ?? task}_task`,
    parameters: [...needed, ...names.filter((name) => !isNeeded(name))],
    required: needed.length,
    isBound: false,
  }
}

export type BoundArguments =
  { readonly args: Readonly<Record<string, unknown>> } | { readonly exception: PythonException }

/**
 * Gives the arguments of a call their names, as a call of the Python function does: by position, by name, `None` for an
 * optional one that is not there. The TypeError of a call that does not fit is the one that Python raises.
 */
export const bindArguments = (
  task: TaskName,
  { args, kwargs }: Pick<CeleryMessage, 'args' | 'kwargs'>,
): BoundArguments => {
  const { name, parameters, required, isBound } = functionOf(task)
  const self = isBound ? 1 : 0
  const given = new Map<string, unknown>()
  for (const [index, parameter] of parameters.entries()) if (index < args.length) given.set(parameter, args[index])
  for (const [keyword, value] of Object.entries(kwargs)) {
    if (!parameters.includes(keyword)) {
      return typeError(`${name}() got an unexpected keyword argument '${keyword.slice(0, 64)}'`)
    }
    if (given.has(keyword)) return typeError(`${name}() got multiple values for argument '${keyword}'`)
    given.set(keyword, value)
  }
  if (args.length > parameters.length) {
    const most = parameters.length + self
    const least = required + self
    const takes =
      least === most ? plural(most, 'positional argument') : `from ${least} to ${plural(most, 'positional argument')}`
    const count = args.length + self
    return typeError(`${name}() takes ${takes} but ${count} ${count === 1 ? 'was' : 'were'} given`)
  }
  const missing = parameters.slice(0, required).filter((parameter) => !given.has(parameter))
  if (missing.length > 0) {
    return typeError(`${name}() missing ${plural(missing.length, 'required positional argument')}: ${listOf(missing)}`)
  }
  const optional = parameters.slice(required)
  const values = [...given].filter(([parameter, value]) => value !== null || !optional.includes(parameter))
  return { args: Object.fromEntries(values.map(([parameter, value]) => [parameter, withoutNone(plainValue(value))])) }
}

/** Metrics that are `None` are missing. */
const withoutNone = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNone)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))
}

const typeError = (message: string): BoundArguments => ({ exception: builtinError('TypeError', message) })

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** `'a', 'b', and 'c'`, as Python lists names. */
const listOf = (names: readonly string[]): string => {
  const quoted = names.map((name) => `'${name}'`)
  const last = quoted.pop() ?? ''
  if (quoted.length === 0) return last
  return quoted.length === 1 ? `${quoted[0] ?? ''} and ${last}` : `${quoted.join(', ')}, and ${last}`
}
