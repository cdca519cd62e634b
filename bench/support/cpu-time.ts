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

/** CPU seconds that a process and all below it have used. */
export const cpuSecondsOf = (root: number): number => {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])
  const sum = (pid: number): number =>
    all.filter(({ parent }) => parent === pid).reduce((total, child) => total + sum(child.pid), 0) +
    (all.find((process) => process.pid === pid)?.seconds ?? 0)
  return sum(root)
}
