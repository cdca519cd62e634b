const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether a request with this method may change something. */
export const isUnsafe = (method: string): boolean => !readingMethods.has(method)
