/** A signature of Celery as JSON has it: a task with its arguments and options, or a group, chain or chord of them. */
export interface Signature {
  readonly task: string
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly options?: Readonly<Record<string, unknown>>
  readonly subtask_type?: string | null
  readonly immutable?: boolean
}
