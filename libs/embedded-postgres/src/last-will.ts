import { spawn, type ChildProcess } from 'node:child_process'
import type { ServerAccount } from './server-account.js'

/**
 * Waits at the other end of a pipe. The pipe breaks when we have ended, however that was; then the server is asked to end
 * too (SIGINT: a fast shutdown), if the process is still the one of that data folder.
 */
const script = `
while read -r line; do :; done
if [ "$(head -n 1 "$2/postmaster.pid" 2>/dev/null)" = "$1" ]; then kill -s INT "$1"; fi
`

/** A process that ends the server soon after this process has ended without doing so, by `kill -9` for example. */
export class LastWill {
  private keeper: ChildProcess | undefined
  private isRevoked = false

  constructor(
    private readonly serverPid: number,
    private readonly dataFolder: string,
    private readonly account: ServerAccount,
  ) {
    this.appoint()
  }

  /** To be called once the server has ended. */
  revoke(): void {
    this.isRevoked = true
    this.keeper?.kill('SIGKILL')
  }

  private appoint(): void {
    const keeper = spawn('/bin/sh', ['-c', script, 'sh', String(this.serverPid), this.dataFolder], {
      ...this.account,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      // A session of its own: what ends ours, or its terminal, must not end it too.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.keeper = keeper
    // Neither the process nor its pipe keeps this one alive.
    keeper.unref()
    keeper.stdin.on('error', () => undefined)
    if ('unref' in keeper.stdin && typeof keeper.stdin.unref === 'function') keeper.stdin.unref()
    // One that was killed is replaced, as long as there is a server to end.
    keeper.once('exit', () => this.isRevoked || this.appoint())
  }
}
