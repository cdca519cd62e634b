/** The response to a readiness probe of the api or a worker, as far as it is read here. */
export interface ReadinessBody {
  readonly broker?: unknown
  readonly notes?: unknown
  readonly error?: Readonly<Record<string, { readonly message?: string }>>
}

/** Returns the body of a readiness probe, whatever responded. */
export const toReadiness = (body: unknown): ReadinessBody => (typeof body === 'object' && body !== null ? body : {})

/** Returns each fault that a readiness probe names, by check. */
export const faultsIn = ({ error = {} }: ReadinessBody): readonly (readonly [check: string, fault: string])[] =>
  Object.entries(error).map(([name, { message = 'does not work' }]) => [name, message])
