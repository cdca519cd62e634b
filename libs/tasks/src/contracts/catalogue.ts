import type { TaskContract } from './define-task.js'
import * as tasks from './tasks.js'

type Contract = Extract<(typeof tasks)[keyof typeof tasks], TaskContract>
type Catalogue = { readonly [Each in Contract as Each['name']]: Each }

const isContract = (exported: object): exported is Contract =>
  'name' in exported && 'queue' in exported && 'args' in exported && 'result' in exported

/** Every task there is, by name. A worker refuses to start if one of its queues has a task without a handler. */
export const catalogue = Object.fromEntries(
  Object.values(tasks)
    .filter(isContract)
    .map((contract) => [contract.name, contract]),
) as Catalogue

export type TaskName = keyof Catalogue

export const isTaskName = (name: string): name is TaskName => Object.hasOwn(catalogue, name)
