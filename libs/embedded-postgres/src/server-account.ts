import { spawnSync } from 'node:child_process'

/** The system account PostgreSQL runs as; empty for our own account. PostgreSQL refuses to run as root. */
export interface ServerAccount {
  readonly uid?: number
  readonly gid?: number
}

const ownAccountName = 'memoryguard'

/** The uid of "nobody" by convention, where no account can be made. */
const nobody = 65_534

/** The account for the server: our own, or if we are root the owner of the existing data, `postgres`, or a new one. */
export const chooseServerAccount = (dataOwner: Required<ServerAccount> | undefined): ServerAccount => {
  if (!isRoot()) return {}
  if (dataOwner && dataOwner.uid !== 0) return dataOwner
  return findAccount('postgres') ?? findAccount(ownAccountName) ?? createAccount() ?? { uid: nobody, gid: nobody }
}

/** Whether `account` can reach and enter `folder`, by trying: ACLs and mount options count besides its mode. */
export const canEnter = (folder: string, account: ServerAccount): boolean => {
  if (account.uid === undefined) return true
  const attempt = spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { ...account, cwd: '/', stdio: 'ignore' })
  return attempt.status === 0
}

/** Whether this process is root on a POSIX system. */
export const isRoot = (): boolean => process.getuid?.() === 0

const findAccount = (name: string): ServerAccount | undefined => {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
    return status === 0 ? Number(stdout) : undefined
  })
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

const createAccount = (): ServerAccount | undefined => {
  const arguments_ = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', ownAccountName]
  return spawnSync('useradd', arguments_, { stdio: 'ignore' }).status === 0 ? findAccount(ownAccountName) : undefined
}
