/** Told how much of the work is done, by explainers that take long. */
export type OnProgress = (done: number, total: number) => void
