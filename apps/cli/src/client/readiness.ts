/** What a readiness probe says, as far as it is read here: of the api under `error`, of a worker under `faults`. */
interface Readiness {
  readonly error?: Readonly<Record<string, { readonly message?: string }>>
  readonly faults?: Readonly<Record<string, string>>
}

/** The faults of a readiness probe's body in one line; empty if it names none. */
export const faultsIn = (body: unknown): string => {
  const { error = {}, faults = {} }: Readiness = typeof body === 'object' && body !== null ? body : {}
  const words = Object.entries(error).map(([name, { message }]) => [name, message ?? 'does not work'] as const)
  return [...words, ...Object.entries(faults)].map(([name, fault]) => `${name}: ${fault}`).join('; ')
}
