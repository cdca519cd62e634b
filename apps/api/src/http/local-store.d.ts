/** The counts of `@fastify/rate-limit`, which has no types of its own for them. */
declare module '@fastify/rate-limit/store/LocalStore.js' {
  type Callback = (error: Error | null, result: { readonly current: number; readonly ttl: number }) => void

  export default class LocalStore {
    constructor(continueExceeding: boolean, exponentialBackoff: boolean, cache?: number)
    /** Counts a request of `caller`; calls back at once. `ttl` is in milliseconds. */
    incr(caller: string, callback: Callback, timeWindow: number, max: number): void
    /** The same without counting. */
    read(caller: string, callback: Callback, timeWindow: number): void
  }
}
