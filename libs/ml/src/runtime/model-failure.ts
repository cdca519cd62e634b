import { MemoryGuardError } from '#libs/platform'

/** Messages of onnxruntime when memory is exhausted. */
const outOfMemory = /bad_alloc|allocate memory/i

/**
 * MODEL_OUTPUT_INVALID for a graph that fails. The same graph fails on the same rows again, so it is not worth a retry,
 * unless the machine was out of memory.
 */
export const modelFailure = (key: string, cause: unknown): MemoryGuardError =>
  new MemoryGuardError('MODEL_OUTPUT_INVALID', `The model ${key} failed.`, {
    cause,
    retryable: cause instanceof Error && outOfMemory.test(cause.message),
  })
