import { pythonRepr } from './python-repr.js'

/** An exception of Python as results name it: its class, the module of the class, and its arguments. */
export interface PythonException {
  readonly type: string
  /** A client makes an exception of this class only if it has imported the module; otherwise one of the same name. */
  readonly module: string
  readonly args: readonly unknown[]
}

/** The form in which Celery stores an exception as the result of a task. */
export interface StoredException {
  readonly exc_type: string
  readonly exc_message: readonly unknown[]
  readonly exc_module: string
}

export const storedException = ({ type, module, args }: PythonException): StoredException => ({
  exc_type: type,
  exc_message: args,
  exc_module: module,
})

/** An exception of Python's own: `ValueError`, `TypeError` and others. */
export const builtinError = (type: string, ...args: readonly unknown[]): PythonException => ({
  type,
  module: 'builtins',
  args,
})

/** An exception of `celery.exceptions`: `NotRegistered`, `TaskRevokedError`, `ChordError` and others. */
export const celeryError = (type: string, ...args: readonly unknown[]): PythonException => ({
  type,
  module: 'celery.exceptions',
  args,
})

/** An exception of `billiard.exceptions`: `TimeLimitExceeded`, `SoftTimeLimitExceeded`, `WorkerLostError`. */
export const billiardError = (type: string, ...args: readonly unknown[]): PythonException => ({
  type,
  module: 'billiard.exceptions',
  args,
})

/** The exception of a stored failure; undefined when there is none in it. */
export const readStoredException = (value: unknown): PythonException | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  const { exc_type: type, exc_module: module, exc_message: message } = value as Record<string, unknown>
  if (typeof type !== 'string') return undefined
  return {
    type,
    module: typeof module === 'string' ? module : 'celery.backends.base',
    args: Array.isArray(message) ? message : [message ?? ''],
  }
}

/** What Python's `repr` shows of an exception: `ValueError('no such user')`. */
export const exceptionRepr = ({ type, module, args }: PythonException): string => {
  const shown = args.map(pythonRepr).join(', ')
  if (type === 'NotRegistered' && module === 'celery.exceptions') {
    return `Task of kind ${args.length > 1 ? `(${shown})` : shown} never registered, please make sure it's imported.`
  }
  // A class inside a class has a name with dots, of which repr shows the last part.
  return `${type.slice(type.lastIndexOf('.') + 1)}(${shown})`
}
