import { AuditRepository } from '#libs/database'
import { CONFIG, type Config } from '#libs/platform'
import { entityId } from '#libs/tasks/contracts'
import { Controller, Get, Inject, Query } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { pageLimit, toPage } from '../http/paging.js'
import { plainText } from '../http/plain-text.js'
import { problemSchema } from '../http/problem.js'
import { strictInput } from '../http/strict-input.js'
import { faultOfEnd, timeOrAgo } from '../http/times.js'
import { RequireRole } from './access.js'

const entry = z
  .strictObject({
    id: z.int(),
    at: z.iso.datetime(),
    api_key_id: z.uuid().nullable(),
    action: z.string(),
    target: z.string(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry' })

const auditPage = z
  .strictObject({ items: z.array(entry), next_cursor: z.string().nullable() })
  .meta({ id: 'AuditPage' })

const auditQuery = strictInput({
  cursor: z
    .string()
    .regex(/^\d{1,16}$/, 'must be a `next_cursor` of an earlier page')
    .optional(),
  limit: pageLimit,
  action: plainText(64).optional().describe('Such as `queue.pause` or `request.reject`'),
  target: plainText(512).optional().describe('What it was done to, as the entry has it; for a person see `user_id`'),
  api_key_id: z.uuid({ error: 'must be a UUID' }).optional().describe('Entries of this API key or OIDC caller'),
  since: timeOrAgo.optional().describe('Only entries of then or later; `24h` is how long ago'),
  until: timeOrAgo.optional().describe('Only entries of before then'),
  user_id: z.coerce
    .number()
    .pipe(entityId)
    .optional()
    .describe(
      'Entries about this person: reads, with AUDIT_READS=persons, deletions, erasures, and keys bound to them',
    ),
}).superRefine(({ since, until }, context) => {
  const fault = faultOfEnd(since, until)
  if (fault !== undefined) context.addIssue({ code: 'custom', path: ['until'], message: fault })
})

const checkpoint = z.strictObject({
  id: z.int().nonnegative(),
  hash: z.string().describe('SHA-256 in hexadecimal digits; empty before the first entry'),
  at: z.iso.datetime().nullable().describe('Time of the entry; null if it is not there'),
})

const verificationResponse = z
  .strictObject({
    is_intact: z
      .boolean()
      .describe('Every entry fits the one before it, none is missing at the end, and none was removed before its time'),
    entries: z.int().nonnegative(),
    first_broken_id: z.int().nullable().describe('The first entry that was changed, or follows one that is missing'),
    is_tail_there: z.boolean().describe('false: the newest entries are missing'),
    last_removed_id: z.int().nullable().describe('The newest entry that was removed for its age; null if none was'),
    is_removal_due: z
      .boolean()
      .describe('false: entries were removed since the checkpoint that AUDIT_TTL_SECONDS does not let expire'),
    is_checkpoint_there: z
      .boolean()
      .nullable()
      .describe('Whether the given checkpoint is part of the chain, or was removed for its age'),
    head: checkpoint.describe('The newest entry: keep it outside the database and give it to the next check'),
  })
  .meta({ id: 'AuditVerification' })

const verificationQuery = strictInput({
  checkpoint_id: z.coerce.number().int().nonnegative().optional().describe('`head.id` of an earlier check'),
  checkpoint_hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be `head.hash` of an earlier check')
    .optional()
    .describe('`head.hash` of the same check. Left out for the checkpoint 0 alone, which has none'),
  checkpoint_at: z.iso
    .datetime()
    .optional()
    .describe('`head.at` of the same check, by which it is judged whether the checkpoint may have expired'),
}).superRefine(({ checkpoint_id: id, checkpoint_hash: hash, checkpoint_at: at }, context) => {
  const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (id === undefined) {
    if (hash !== undefined) refuse('checkpoint_id', 'is needed with checkpoint_hash')
    if (at !== undefined) refuse('checkpoint_id', 'is needed with checkpoint_at')
  } else if ((hash === undefined) !== (id === 0)) {
    refuse('checkpoint_hash', id === 0 ? 'must be left out for the checkpoint 0' : 'is needed with checkpoint_id')
  }
})

type VerificationQuery = z.infer<typeof verificationQuery>

@ApiTags('access')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/audit')
export class AuditController {
  constructor(
    private readonly entries: AuditRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get('verification')
  @RequireRole('admin')
  @ApiOperation({ summary: 'Check that no entry was changed, removed or moved. Reads the whole trail' })
  @ApiResponse({ status: 200, description: 'What was found', standardSchema: verificationResponse })
  async verify(
    @Query({ schema: verificationQuery })
    { checkpoint_id: id, checkpoint_hash: hash = '', checkpoint_at: at }: VerificationQuery,
  ): Promise<z.infer<typeof verificationResponse>> {
    const known = id === undefined ? undefined : { id, hash, ...(at && { at: new Date(at) }) }
    const found = await this.entries.verify(known, this.config.retention.auditTtlSeconds)
    const { entries, firstBrokenId, isTailThere, lastRemovedId, isRemovalDue, isCheckpointThere, head } = found
    return {
      is_intact: firstBrokenId === null && isTailThere && isRemovalDue && isCheckpointThere !== false,
      entries,
      first_broken_id: firstBrokenId,
      is_tail_there: isTailThere,
      last_removed_id: lastRemovedId,
      is_removal_due: isRemovalDue,
      is_checkpoint_there: isCheckpointThere,
      head: { id: head.id, hash: head.hash, at: head.at?.toISOString() ?? null },
    }
  }

  @Get()
  @RequireRole('admin')
  @ApiOperation({ summary: 'Who changed something, was rejected, or read whose data; newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: auditPage })
  async list(
    @Query({ schema: auditQuery })
    { cursor, limit, user_id: userId, api_key_id: apiKeyId, ...filter }: z.infer<typeof auditQuery>,
  ) {
    const before = cursor === undefined ? undefined : Number(cursor)
    return toPage(
      await this.entries.list(before, limit + 1, { ...filter, userId, apiKeyId }),
      limit,
      ({ id, at, apiKeyId, action, target, details, requestId }): z.infer<typeof entry> => ({
        id,
        at: at.toISOString(),
        api_key_id: apiKeyId,
        action,
        target,
        details,
        request_id: requestId,
      }),
      ({ id }) => String(id),
    )
  }
}
