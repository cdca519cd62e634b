import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findProcessStart } from './process-identity.js'

/** What a running server writes into `postmaster.pid`: line 1 its pid, line 4 its port, line 8 its status. */
export interface ServerStatus {
  readonly pid: number
  readonly isReady: boolean
}

const pollMs = 20

/** After this long a fast shutdown (which writes a checkpoint) becomes an immediate one (which leaves that to recovery). */
const fastShutdownMs = 30_000

/** The status file of the data folder, whether or not the process it names still lives. */
export const findServerStatus = (dataFolder: string): ServerStatus | undefined => {
  const lines = findLines(dataFolder)
  return lines && { pid: Number(lines[0]), isReady: lines[7]?.trim() === 'ready' }
}

/** The pid of the living server of exactly this data folder, if there is one. Never that of a process which reused its pid. */
export const findServer = (dataFolder: string): number | undefined => {
  const pid = findServerStatus(dataFolder)?.pid
  if (pid === undefined || findProcessStart(pid) === undefined) return undefined
  return isServerOf(pid, dataFolder) ? pid : undefined
}

/** Ends the server of this data folder and returns when it is gone. Its clients are disconnected. */
export const stopServer = async (dataFolder: string): Promise<void> => {
  const deadline = Date.now() + fastShutdownMs
  let sent: NodeJS.Signals | undefined
  for (let pid = findServer(dataFolder); pid !== undefined; pid = findServer(dataFolder)) {
    const signal = Date.now() < deadline ? 'SIGINT' : 'SIGQUIT'
    if (signal !== sent) sendSignal(pid, signal)
    sent = signal
    await wait(pollMs)
  }
}

/**
 * Makes a status file left by a killed server harmless. PostgreSQL does not start while the pid in it lives, even if
 * that is another program or a zombie by now. It does ignore its own parent, so the file gets our pid; the rest stays,
 * since its shared memory key is how PostgreSQL sees whether processes of the killed server still use the data.
 */
export const disarmStaleFile = (dataFolder: string): void => {
  const lines = findLines(dataFolder)
  if (!lines || findServer(dataFolder) !== undefined) return
  const path = join(dataFolder, 'postmaster.pid')
  // Torn by a power failure: no pid, no key.
  if (lines.length < 2) return rmSync(path)
  writeFileSync(path, [String(process.pid), ...lines.slice(1)].join('\n'))
}

const isServerOf = (pid: number, dataFolder: string): boolean => {
  if (process.platform !== 'linux') {
    const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return command.includes('postgres') && command.includes(dataFolder)
  }
  try {
    // A server's working folder is its data folder.
    return readlinkSync(`/proc/${pid}/cwd`) === dataFolder && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Ended meanwhile, or belongs to another account than the data, which we may read.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return false
    throw error
  }
}

const sendSignal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const findLines = (dataFolder: string): string[] | undefined => {
  try {
    return readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
