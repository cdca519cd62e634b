export type ModelState = 'loading' | 'ready' | 'broken'

/** A model as the registry has it. */
export interface RegisteredModel {
  readonly reference: string
  readonly state: ModelState
  /** Why it is broken. */
  readonly reason: string | null
}
