import { z } from 'zod'
import { seconds, variable } from './config-variable.js'

const readsRecorded = ['none', 'persons'] as const

/** Variables of the audit trail. */
export const auditVariables = {
  AUDIT_TTL_SECONDS: variable(
    seconds(0, 3_153_600_000).default(0),
    'Entries of the audit trail are removed after this time; 0: never.',
  ),
  AUDIT_READS: variable(
    z.enum(readsRecorded, { error: `must be ${readsRecorded.join(' or ')}` }).default('none'),
    "persons: the audit trail records which key read which person's data, by pseudonym, one entry a minute at most. none: reads are not recorded.",
  ),
} as const
