export * from './catalogue.js'
export * from './define-task.js'
export * from './task-states.js'
export * from './tasks.js'
