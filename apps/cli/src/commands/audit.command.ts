import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { CommandError } from '../command-error.js'
import { print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

interface VerifyFlags extends ConnectionFlags {
  readonly checkpoint?: string
  readonly json?: true
}

interface Checkpoint {
  readonly id: number
  readonly hash: string
  /** Missing in files of an older version, null before the first entry. */
  readonly at?: string | null
}

/** What the API responds with. */
interface Verification {
  readonly is_intact: boolean
  readonly entries: number
  readonly first_broken_id: number | null
  readonly is_tail_there: boolean
  readonly last_removed_id: number | null
  readonly is_removal_due: boolean
  readonly is_checkpoint_there: boolean | null
  readonly head: Checkpoint
}

/** `memoryguard audit`: the audit trail. */
export function auditCommand(): Command {
  return new Command('audit').description('check the audit trail').addCommand(verifyCommand())
}

function verifyCommand(): Command {
  const command = new Command('verify')
    .description('check that no entry of the audit trail was changed, removed or moved; exit code 1 if one was')
    .option(
      '--checkpoint <file>',
      'also check that the trail still holds what it held at the last check, and keep its end in this file',
    )
  return withConnection(command).action(async (flags: VerifyFlags) => {
    const known = flags.checkpoint === undefined ? undefined : readCheckpoint(flags.checkpoint)
    const query = known ? `?${queryOf(known)}` : ''
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ method: 'GET', path: `/v1/audit/verification${query}` })
    const found = body as Verification
    if (flags.json) printJson(found)
    if (!found.is_intact) throw new CommandError(faultOf(found, known))
    if (!flags.json) {
      print(`The audit trail is intact: ${found.entries} entries, the last one ${found.head.id}.`)
      if (found.last_removed_id !== null) print(`Entries up to ${found.last_removed_id} were removed for their age.`)
    }
    if (flags.checkpoint !== undefined) writeFileSync(flags.checkpoint, `${JSON.stringify(found.head)}\n`)
  })
}

const queryOf = ({ id, hash, at }: Checkpoint): string =>
  new URLSearchParams({
    checkpoint_id: String(id),
    ...(hash && { checkpoint_hash: hash }),
    ...(at && { checkpoint_at: at }),
  }).toString()

function faultOf(found: Verification, known?: Checkpoint): string {
  const { first_broken_id: broken, is_tail_there: isTailThere, head } = found
  if (broken !== null)
    return `The audit trail was changed: entry ${broken} does not fit the one before it, or its own hash.`
  if (!isTailThere) return `The audit trail was changed: its newest entries, up to ${head.id}, are missing.`
  if (!found.is_removal_due) {
    return `The audit trail was cut off: entries up to ${found.last_removed_id} were removed, which AUDIT_TTL_SECONDS does not account for.`
  }
  return `The audit trail was changed: entry ${known?.id} is not the one that the checkpoint names.`
}

/** The end of the trail at the last check; undefined before the first one. */
function readCheckpoint(path: string): Checkpoint | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new CommandError(`The checkpoint ${path} cannot be read (${code}).`, { cause })
  }
  const [, id, hash, at] = /^\{"id":(\d+),"hash":"([0-9a-f]*)"(?:,"at":(?:null|"([^"]*)"))?\}\s*$/.exec(text) ?? []
  if (id === undefined || hash === undefined) {
    throw new CommandError(`${path} is not a checkpoint of the audit trail: choose another file.`)
  }
  return { id: Number(id), hash, ...(at && { at }) }
}
