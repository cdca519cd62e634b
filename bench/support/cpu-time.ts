import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

/** Clock ticks of /proc/<pid>/stat in a second. */
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

interface ProcessTime {
  readonly pid: number
  readonly parent: number
  readonly seconds: number
}

const readProcess = (pid: number): ProcessTime | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    // After the name: state, parent, ..., and as 12th to 15th the times of itself and of its ended children.
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15)
    return { pid, parent: fields[1] ?? 0, seconds: (utime + stime + cutime + cstime) / ticksPerSecond }
  } catch {
    return undefined
  }
}

const readAll = (): readonly ProcessTime[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])

const treeOf = (root: number, all: readonly ProcessTime[]): readonly ProcessTime[] => [
  ...all.filter(({ pid }) => pid === root),
  ...all.filter(({ parent }) => parent === root).flatMap(({ pid }) => treeOf(pid, all)),
]

/** A process and all below it. */
export const processesFrom = (root: number): readonly number[] => treeOf(root, readAll()).map(({ pid }) => pid)

/** CPU seconds that a process and all below it have used. */
export const cpuSecondsOf = (root: number): number =>
  treeOf(root, readAll()).reduce((total, { seconds }) => total + seconds, 0)
