import { MemoryGuardError } from '#libs/platform'
import { StandardSchemaValidationPipe } from '@nestjs/common'
import { faultsOf } from './problem.js'

class StrictValidationPipe extends StandardSchemaValidationPipe {
  /** Names such as `constructor` are refused by the schemas as any unknown name, and not left out in silence. */
  protected override stripProtoKeys(): void {
    // The body's parser has refused `__proto__` already, and every schema names its members.
  }
}

/** Validates body, query and path against their Zod schemas; every fault is told with its pointer. */
export const createValidationPipe = (): StandardSchemaValidationPipe =>
  new StrictValidationPipe({
    exceptionFactory: (issues) =>
      new MemoryGuardError('REQUEST_INVALID', 'The request does not fit its schema; see `errors`.', {
        faults: faultsOf(issues),
      }),
  })
