import { readFileSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { CommandError } from '../command-error.js'
import { printJson } from '../output.js'
import { callsApi, group } from './api-command.js'

interface VerifyFlags {
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
export const auditCommand = (): Command =>
  group('audit', 'check the audit trail', [
    callsApi(
      new Command('verify')
        .description('check that no entry of the audit trail was changed, removed or moved; exit code 1 if one was')
        .option(
          '--checkpoint <file>',
          'also check that the trail still holds what it held at the last check, and keep its end in this file',
        ),
      async (client, _, { checkpoint, json }: VerifyFlags) => {
        const known = checkpoint === undefined ? undefined : readCheckpoint(checkpoint)
        const { body } = await client.send({ path: `/v1/audit/verification${known ? `?${queryOf(known)}` : ''}` })
        const found = body as Verification
        const { is_intact: isIntact, entries, head, last_removed_id: removed } = found
        if (!isIntact && json) printJson(found)
        if (!isIntact) throw new CommandError(faultOf(found, known))
        if (checkpoint !== undefined) writeFileSync(checkpoint, `${JSON.stringify(head)}\n`)
        return {
          json: found,
          lines: [
            `The audit trail is intact: ${entries} entries, the last one ${head.id}.`,
            ...(removed === null ? [] : [`Entries up to ${removed} were removed for their age.`]),
          ],
        }
      },
    ),
  ])

const queryOf = ({ id, hash, at }: Checkpoint): string =>
  new URLSearchParams({
    checkpoint_id: String(id),
    ...(hash && { checkpoint_hash: hash }),
    ...(at && { checkpoint_at: at }),
  }).toString()

const faultOf = (found: Verification, known?: Checkpoint): string => {
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
const readCheckpoint = (path: string): Checkpoint | undefined => {
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
