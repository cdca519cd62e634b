import { MemoryGuardError } from '#libs/platform'
import { StandardSchemaValidationPipe } from '@nestjs/common'
import { faultsOf } from './problem.js'

/** Validates body, query and path against their Zod schemas; every fault is told with its pointer. */
export const createValidationPipe = (): StandardSchemaValidationPipe =>
  new StandardSchemaValidationPipe({
    exceptionFactory: (issues) =>
      new MemoryGuardError('REQUEST_INVALID', 'The request does not fit its schema; see `errors`.', {
        faults: faultsOf(issues),
      }),
  })
