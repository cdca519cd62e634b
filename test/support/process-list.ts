import { readdirSync, readFileSync } from 'node:fs'

/** Pids of the living processes whose environment holds `mark`; Linux only, elsewhere none are found. */
export const listProcessesOf = (mark: string): readonly number[] => {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && readEnvironmentOf(pid).includes(mark))
}

/** The environment a process was started with; empty for one that has ended or belongs to someone else. */
const readEnvironmentOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

/** Whether a process lives. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The process that started a living one; undefined for one that has ended. */
export const parentOf = (pid: number): number | undefined => {
  try {
    // The name in brackets may hold anything; behind it stand the state and the parent.
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return Number(parent)
  } catch {
    return undefined
  }
}

/** The living processes that a process has started. */
export const listChildrenOf = (pid: number): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((child) => child > 0 && parentOf(child) === pid)
