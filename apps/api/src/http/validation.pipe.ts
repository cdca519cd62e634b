import { MemoryGuardError, type InputFault } from '#libs/platform'
import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common'
import { faultsOf, pointerOf } from './problem.js'

class StrictValidationPipe extends StandardSchemaValidationPipe {
  /** A fault of a single parameter is where that parameter is. */
  override async transform<Value>(value: Value, metadata: ArgumentMetadata): Promise<Value> {
    if (metadata.type === 'query') mustHaveValues(Object(value) as Record<string, unknown>)
    if (metadata.data === undefined) return super.transform(value, metadata)
    try {
      return await super.transform(value, metadata)
    } catch (error) {
      if (!(error instanceof MemoryGuardError)) throw error
      const at = pointerOf([metadata.data])
      const faults = error.faults.map(({ pointer, message }) => ({ pointer: at + pointer, message }))
      throw new MemoryGuardError(error.code, error.message, { faults })
    }
  }

  /** Names such as `constructor` are refused by the schemas as any unknown name, and not left out in silence. */
  protected override stripProtoKeys(): void {
    // The body's parser has refused `__proto__` already, and every schema names its members.
  }
}

/** An empty parameter would be zero, nothing or anything, by the kind of its schema. */
const mustHaveValues = (query: Readonly<Record<string, unknown>>): void => {
  const empty = Object.keys(query).filter((name) => query[name] === '')
  if (empty.length === 0) return
  throw invalid(empty.map((name) => ({ pointer: pointerOf([name]), message: 'must not be empty; leave it out' })))
}

const invalid = (faults: readonly InputFault[]) =>
  new MemoryGuardError('REQUEST_INVALID', 'The request does not fit its schema; see `errors`.', { faults })

/** Validates body, query and path against their Zod schemas; reports every fault with its pointer. */
export const createValidationPipe = (): StandardSchemaValidationPipe =>
  new StrictValidationPipe({
    exceptionFactory: (issues) => invalid(faultsOf(issues)),
  })
