import { CONFIG, type Config } from '#libs/platform'
import { Controller, Delete, Get, HttpCode, Inject, Param, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { problemSchema } from '../../http/problem.js'
import {
  CurrentPrincipal,
  mayActAs,
  principalOf,
  RequireRole,
  type Principal,
  type RequestWithPrincipal,
} from '../access.js'
import { callerOf } from '../audit-trail.js'
import { CredentialCache } from '../credential-cache.js'
import { Sessions } from './sessions.js'
import {
  meResponse,
  rolesUpTo,
  sessionPage,
  toSessionResponse,
  type MeResponse,
  type SessionResponse,
} from './sessions.schemas.js'

/** Whose sessions a caller sees and ends: an administrator everyone's, others their own. */
const scopeOf = ({ id, role }: Principal): string | undefined => (mayActAs(role, 'admin') ? undefined : id)

/** Who is signed in, and the caller. */
@ApiTags('access')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1')
export class SessionsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly credentials: CredentialCache,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get('me')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'Who makes this request, and what they may do' })
  @ApiResponse({ status: 200, description: 'The caller', standardSchema: meResponse })
  me(@CurrentPrincipal() { id, name, role, userId, method }: Principal): MeResponse {
    const { oidc, audit } = this.config
    const features = { oidc: oidc?.clientId !== undefined, audit_reads: audit.recordsReads }
    return { id, name, role, roles: rolesUpTo(role), user_id: userId, method, features }
  }

  @Get('sessions')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'Sessions of browsers, newest first: your own, as an administrator all. 1,000 at most' })
  @ApiResponse({ status: 200, description: 'The sessions', standardSchema: sessionPage })
  async list(@CurrentPrincipal() principal: Principal): Promise<{ items: SessionResponse[]; next_cursor: null }> {
    const sessions = await this.sessions.list(scopeOf(principal))
    return { items: sessions.map((session) => toSessionResponse(session, principal.session?.id)), next_cursor: null }
  }

  @Delete('sessions/:id')
  @RequireRole('viewer')
  @HttpCode(204)
  @ApiOperation({ summary: 'End a session: your own, as an administrator any; every process refuses it within 5 s' })
  @ApiResponse({ status: 204, description: 'Ended' })
  async end(
    @Param('id', { schema: z.uuid({ error: 'must be a UUID' }) }) id: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<void> {
    await this.sessions.end(id, callerOf(request), scopeOf(principalOf(request)))
    this.credentials.clear()
  }
}
