/** Longest time that one check of a process's readiness may take, in milliseconds: shorter than what probes wait. */
export const readinessCheckMs = 3_000

/** What a readiness check says that has not ended in time. */
export const lateAnswer = `no answer within ${readinessCheckMs / 1000} s`

/** Answers what `call` answers, or `late` if that takes longer than `ms` milliseconds; `call` then goes on unheard. */
export const withinTime = async <Answer, Late>(
  call: Promise<Answer>,
  ms: number,
  late: Late,
): Promise<Answer | Late> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<Late>((resolve) => {
    timer = setTimeout(resolve, ms, late)
  })
  try {
    return await Promise.race([call, limit])
  } finally {
    clearTimeout(timer)
  }
}
