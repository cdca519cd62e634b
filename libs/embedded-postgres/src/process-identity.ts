import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * When the process `pid` started, as an opaque text, or undefined if no such process lives. A pid alone names no
 * process for long: it is given again after a reboot, in a new container, or after enough forks. A zombie counts as dead.
 */
export const findProcessStart = (pid: number): string | undefined => {
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return process.platform === 'linux' ? findStartInProc(pid) : findStartByCommand(pid)
}

const findStartInProc = (pid: number): string | undefined => {
  const stat = findText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // proc(5): the name in field 2 may hold spaces and brackets, so count from its end; field 3 is the state, 22 the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

const findStartByCommand = (pid: number): string | undefined => {
  if (!isAlive(pid)) return undefined
  // Windows has no ps; there a living pid has to do.
  if (process.platform === 'win32') return 'alive'
  return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const findText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // ESRCH: the process ended between opening and reading.
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
