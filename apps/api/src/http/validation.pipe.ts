import { MemoryGuardError, type InputFault } from '#libs/platform'
import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common'
import { z } from 'zod'
import { faultsOf, pointerOf } from './problem.js'

class StrictValidationPipe extends StandardSchemaValidationPipe {
  /** A fault of a single parameter is where that parameter is. */
  override async transform<Value>(value: Value, metadata: ArgumentMetadata): Promise<Value> {
    if (metadata.type === 'query') mustHaveOneValue(Object(value) as Query, metadata.schema)
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

type Query = Readonly<Record<string, unknown>>

/**
 * Rejects parameters that are empty, which would be zero, nothing or anything, by the kind of their schema, and those
 * that stand twice.
 */
const mustHaveOneValue = (query: Query, schema: unknown): void => {
  const shape: Readonly<Record<string, unknown>> = schema instanceof z.ZodObject ? schema.shape : {}
  const faults = Object.entries(query).flatMap(([name, value]) => {
    const isEmpty = value === '' && !mayBeEmpty(shape[name])
    const message = isEmpty ? 'must not be empty; leave it out' : Array.isArray(value) && 'must be given once'
    return message ? [{ pointer: pointerOf([name]), message }] : []
  })
  if (faults.length > 0) throw invalid(faults)
}

/** Whether a schema names 0 as the least length of a text. */
const mayBeEmpty = (schema: unknown): boolean =>
  schema instanceof z.ZodOptional
    ? mayBeEmpty(schema.unwrap())
    : schema instanceof z.ZodString && schema.minLength === 0

const invalid = (faults: readonly InputFault[]) =>
  new MemoryGuardError('REQUEST_INVALID', 'The request does not fit its schema; see `errors`.', { faults })

/** Validates body, query and path against their Zod schemas; reports every fault with its pointer. */
export const createValidationPipe = (): StandardSchemaValidationPipe =>
  new StrictValidationPipe({
    exceptionFactory: (issues) => invalid(faultsOf(issues)),
  })
