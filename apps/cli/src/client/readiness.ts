/** What a readiness probe of the api or a worker responds with, as far as it is read here. */
interface ReadinessBody {
  readonly error?: Readonly<Record<string, { readonly message?: string }>>
}

/** Returns the faults in the body of a readiness probe in one line; empty if it names none. */
export const faultsIn = (body: unknown): string => {
  const { error = {} }: ReadinessBody = typeof body === 'object' && body !== null ? body : {}
  return Object.entries(error)
    .map(([name, { message }]) => `${name}: ${message ?? 'does not work'}`)
    .join('; ')
}
