import { ApiKeyRepository, roles, type ApiKeyEntity } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { entityId } from '#libs/tasks/contracts'
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { problemSchema } from '../http/problem.js'
import { plainText } from '../http/plain-text.js'
import { strictInput } from '../http/strict-input.js'
import { principalOf, RequireRole, type RequestWithPrincipal } from './access.js'
import { AuditTrail, callerOf } from './audit-trail.js'
import { CredentialCache } from './credential-cache.js'

const instant = z.iso.datetime()

const keyRequest = strictInput({
  name: plainText(120).min(1).describe('What it is for'),
  role: z.enum(roles, { error: `must be one of ${roles.join(', ')}` }).describe('Each may do what the ones before may'),
  user_id: entityId.optional().describe("Reaches only this person's data; for viewers and submitters"),
  expires_at: z.iso
    .datetime({ offset: true, error: 'must be a time, such as 2030-01-31T12:00:00Z' })
    .transform((text) => new Date(text))
    .refine((time) => time > new Date(), 'must lie ahead')
    .optional(),
})
  .refine(({ role, user_id }) => user_id === undefined || role === 'viewer' || role === 'submitter', {
    path: ['role'],
    error: 'must be viewer or submitter for a key that is bound to a person',
  })
  .meta({ id: 'ApiKeyRequest', examples: [{ name: 'nightly import', role: 'submitter' }] })

type KeyRequest = z.infer<typeof keyRequest>

const keyResponse = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    role: z.enum(roles),
    user_id: z.int().nullable(),
    created_at: instant,
    expires_at: instant.nullable(),
    revoked_at: instant.nullable(),
  })
  .meta({ id: 'ApiKey' })

type KeyResponse = z.infer<typeof keyResponse>

const newKeyResponse = keyResponse
  .extend({ key: z.string().describe('Shown this once; only its hash is stored') })
  .meta({ id: 'NewApiKey' })

type NewKeyResponse = z.infer<typeof newKeyResponse>

const keyPage = z.strictObject({ items: z.array(keyResponse), next_cursor: z.null() }).meta({ id: 'ApiKeyPage' })

@ApiTags('access')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(
    private readonly keys: ApiKeyRepository,
    private readonly cache: CredentialCache,
    private readonly audit: AuditTrail,
  ) {}

  @Get()
  @RequireRole('admin')
  @ApiOperation({ summary: 'Every key, newest first, without its text' })
  @ApiResponse({ status: 200, description: 'The keys', standardSchema: keyPage })
  async list(): Promise<{ items: KeyResponse[]; next_cursor: null }> {
    return { items: (await this.keys.list()).map(toResponse), next_cursor: null }
  }

  @Post()
  @RequireRole('admin')
  @HttpCode(201)
  @ApiOperation({ summary: 'Make a key' })
  @ApiResponse({ status: 201, description: 'The key, with its text', standardSchema: newKeyResponse })
  async create(
    @Body({ schema: keyRequest }) { name, role, user_id, expires_at }: KeyRequest,
    @Req() request: RequestWithPrincipal,
  ): Promise<NewKeyResponse> {
    const values = { name, role, userId: user_id ?? null, expiresAt: expires_at ?? null }
    const person = user_id === undefined ? undefined : await this.audit.pseudonymOf(user_id)
    const { row, key } = await this.audit.change(
      callerOf(request),
      (database) => new ApiKeyRepository(database).create(values),
      ({ row: { id } }) => ({ action: 'api_key.create', target: id, details: { role, ...(person && { person }) } }),
    )
    return { ...toResponse(row), key }
  }

  @Delete(':id')
  @RequireRole('admin')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a key; every process refuses it within 5 s' })
  @ApiResponse({ status: 204, description: 'Revoked' })
  async revoke(
    @Param('id', { schema: z.uuid({ error: 'must be a UUID' }) }) id: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<void> {
    const principal = principalOf(request)
    if (principal.id === id) {
      throw new MemoryGuardError('REQUEST_INVALID', 'A key does not revoke itself: use another admin key.')
    }
    await this.audit.change(
      callerOf(request),
      async (database) => {
        const isKnown = await new ApiKeyRepository(database).revoke(id)
        if (!isKnown) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such key.')
      },
      () => ({ action: 'api_key.revoke', target: id }),
    )
    this.cache.clear()
  }
}

const toResponse = ({ id, name, role, userId, createdAt, expiresAt, revokedAt }: ApiKeyEntity): KeyResponse => ({
  id,
  name,
  role,
  user_id: userId === null ? null : Number(userId),
  created_at: createdAt.toISOString(),
  expires_at: expiresAt?.toISOString() ?? null,
  revoked_at: revokedAt?.toISOString() ?? null,
})
