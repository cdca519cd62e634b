import { AuditRepository } from '#libs/database'
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
})

@ApiTags('access')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/audit')
export class AuditController {
  constructor(private readonly entries: AuditRepository) {}

  @Get()
  @RequireRole('admin')
  @ApiOperation({ summary: 'What operators and administrators did, newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: auditPage })
  async list(@Query({ schema: auditQuery }) { cursor, limit }: z.infer<typeof auditQuery>) {
    const before = cursor === undefined ? undefined : Number(cursor)
    return toPage(
      await this.entries.list(before, limit + 1),
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
