import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { reasonOf, serverFlags } from '#libs/platform'
import { CommandError } from '../command-error.js'
import { openLogFile, readLastLines, setAsideIfLarge, type LogFile } from '#libs/embedded-postgres'

/** A program that `start` keeps running. */
export interface SupervisedProgram {
  readonly name: string
  /** Its main file, and its arguments. */
  readonly main: string
  readonly args?: readonly string[]
  readonly nodeFlags?: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly logPath: string
  /** Whether its output goes to the terminal and not to its log. */
  readonly isShown?: boolean
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopMs: number
  readonly log: (line: string) => void
}

const firstDelayMs = 250
const longestDelayMs = 10_000

/** A process that lived this long was healthy: its next death is not part of a crash loop. */
const healthyMs = 30_000

/** Time between two checks of the size of the log, in milliseconds. */
const logCheckMs = 10_000

/** So many deaths in a row before the program was ever ready mean that it cannot start. */
const startAttempts = 3

/** One program, started again whenever it dies, until it is stopped. */
export class SupervisedProcess {
  private child: ChildProcess | undefined
  private logFile: LogFile | undefined
  private readonly stopping = new AbortController()
  private readonly ended: Promise<void>
  private isProven = false

  constructor(readonly program: SupervisedProgram) {
    const logCheck = setInterval(() => this.limitLog(), logCheckMs).unref()
    this.ended = this.keepRunning().finally(() => clearInterval(logCheck))
  }

  /** Resolves once it is stopped. @throws {CommandError} if the program cannot start, with its last words. */
  get end(): Promise<void> {
    return this.ended
  }

  /** It has been ready once: from now on it is started again for ever. */
  markProven(): void {
    this.isProven = true
  }

  /** Asks it to end and returns when it has; kills it after its time. */
  async stop(): Promise<void> {
    this.stopping.abort()
    const { child } = this
    if (!child || hasEnded(child)) return
    const killer = setTimeout(() => this.kill(), this.program.stopMs)
    child.kill('SIGTERM')
    await onceExited(child)
    clearTimeout(killer)
  }

  /** Ends it at once, with the compute children in its process group. */
  kill(): void {
    this.stopping.abort()
    const { child } = this
    if (child?.pid === undefined || hasEnded(child)) return
    // Windows knows no process groups.
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  }

  private async keepRunning(): Promise<void> {
    const { name, log } = this.program
    let delayMs = 0
    let deaths = 0
    while (!this.stopping.signal.aborted) {
      const startedAt = performance.now()
      const child = this.launch()
      await onceExited(child)
      if (this.stopping.signal.aborted) return
      deaths += 1
      const isHealthy = performance.now() - startedAt > healthyMs
      if (!this.isProven && deaths >= startAttempts) throw new CommandError(this.describeFailure())
      delayMs = isHealthy ? firstDelayMs : Math.min(Math.max(2 * delayMs, firstDelayMs), longestDelayMs)
      log(
        child.exitCode === 0
          ? `A command stopped the ${name}: starting it again. Press Ctrl-C here to stop everything.`
          : `The ${name} ended (${child.signalCode ?? `exit code ${child.exitCode}`}): starting it again`,
      )
      await wait(delayMs, undefined, { signal: this.stopping.signal }).catch(ignoreAbort)
    }
  }

  private launch(): ChildProcess {
    const { main, args = [], nodeFlags = [], env, logPath, isShown = false } = this.program
    const logFile = isShown ? undefined : this.openLog(logPath)
    const output = isShown ? 'inherit' : (logFile?.descriptor ?? 'ignore')
    const child = spawn(process.execPath, [...serverFlags, ...nodeFlags, main, ...args], {
      env,
      // A group of its own: Ctrl-C in the terminal must reach api, worker and database in order, by stop().
      detached: true,
      windowsHide: true,
      // The channel carries nothing: the program is notified of its end when the supervisor is gone.
      stdio: ['ignore', output, output, 'ipc'],
    })
    if (logFile) closeSync(logFile.descriptor)
    this.child = child
    this.logFile = logFile
    return child
  }

  /** A program without a log, for the disk is full or read-only, is better than none. */
  private openLog(path: string): LogFile | undefined {
    try {
      return openLogFile(path)
    } catch (error) {
      this.program.log(`The log ${path} cannot be opened (${reasonOf(error)}): the ${this.program.name} runs without`)
      return undefined
    }
  }

  private limitLog(): void {
    try {
      setAsideIfLarge(this.program.logPath)
    } catch (error) {
      this.program.log(`The log ${this.program.logPath} cannot be set aside (${reasonOf(error)})`)
    }
  }

  private describeFailure(): string {
    const { name, logPath } = this.program
    const words = this.logFile ? readLastLines(this.logFile) : ''
    return `The ${name} does not start. Its last words (all in ${logPath}):\n${words}`
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const onceExited = (child: ChildProcess): Promise<void> => {
  if (hasEnded(child)) return Promise.resolve()
  return new Promise((resolve, reject) => child.once('exit', () => resolve()).once('error', reject))
}

const ignoreAbort = (error: unknown): void => {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error
}
