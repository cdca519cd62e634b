/** Returns what `call` returns, or `late` if that takes longer than `ms` milliseconds; `call` then continues, and its result is ignored. */
export const withinTime = async <Result, Late>(
  call: Promise<Result>,
  ms: number,
  late: Late,
): Promise<Result | Late> => {
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
