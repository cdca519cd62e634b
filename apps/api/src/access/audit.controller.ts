import { AuditRepository } from '#libs/database'
import { entityId } from '#libs/tasks/contracts'
import { Controller, Get, Query } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { pageLimit, toPage } from '../http/paging.js'
import { problemSchema } from '../http/problem.js'
import { strictInput } from '../http/strict-input.js'
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
  user_id: z.coerce
    .number()
    .pipe(entityId)
    .optional()
    .describe(
      'Entries about this person: reads, with AUDIT_READS=persons, deletions, erasures, and keys bound to them',
    ),
})

const checkpoint = z.strictObject({
  id: z.int().nonnegative(),
  hash: z.string().describe('SHA-256 in hexadecimal digits; empty before the first entry'),
})

const verificationAnswer = z
  .strictObject({
    is_intact: z.boolean().describe('Every entry fits the one before it, and none is missing at the end'),
    entries: z.int().nonnegative(),
    first_broken_id: z.int().nullable().describe('The first entry that was changed, or follows one that is missing'),
    is_tail_there: z.boolean().describe('false: the newest entries are missing'),
    is_checkpoint_there: z.boolean().nullable().describe('Whether the given checkpoint is part of the chain'),
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
}).superRefine(({ checkpoint_id: id, checkpoint_hash: hash }, context) => {
  const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (id === undefined) {
    if (hash !== undefined) refuse('checkpoint_id', 'is needed with checkpoint_hash')
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
  constructor(private readonly entries: AuditRepository) {}

  @Get('verification')
  @RequireRole('admin')
  @ApiOperation({ summary: 'Check that no entry was changed, removed or moved. Reads the whole trail' })
  @ApiResponse({ status: 200, description: 'What was found', standardSchema: verificationAnswer })
  async verify(
    @Query({ schema: verificationQuery }) { checkpoint_id: id, checkpoint_hash: hash }: VerificationQuery,
  ): Promise<z.infer<typeof verificationAnswer>> {
    const known = id === undefined ? undefined : { id, hash: hash ?? '' }
    const { entries, firstBrokenId, isTailThere, isCheckpointThere, head } = await this.entries.verify(known)
    return {
      is_intact: firstBrokenId === null && isTailThere && isCheckpointThere !== false,
      entries,
      first_broken_id: firstBrokenId,
      is_tail_there: isTailThere,
      is_checkpoint_there: isCheckpointThere,
      head,
    }
  }

  @Get()
  @RequireRole('admin')
  @ApiOperation({ summary: 'Who changed something, was rejected, or read whose data; newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: auditPage })
  async list(@Query({ schema: auditQuery }) { cursor, limit, user_id: userId }: z.infer<typeof auditQuery>) {
    const before = cursor === undefined ? undefined : Number(cursor)
    return toPage(
      await this.entries.list(before, limit + 1, userId),
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
