/** Parts of a worker's page. */
export const workerTabs = ['pool', 'broker', 'queues', 'tasks', 'limits', 'config', 'system'] as const
export type WorkerTab = (typeof workerTabs)[number]
