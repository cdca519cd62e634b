/** A model as the API shows it. */
export interface ModelRow {
  readonly name: string
  readonly version: string
  readonly title: string
  readonly state: string
  readonly reason: string | null
  readonly is_active: boolean
  readonly is_shadow: boolean
}

/** The models, and the folders that are none. */
export interface ModelList {
  readonly items: readonly ModelRow[]
  readonly unreadable: readonly { readonly model: string; readonly reason: string }[]
}
