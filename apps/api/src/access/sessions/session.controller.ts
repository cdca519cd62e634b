import type { Session } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { OptionalBody } from '../../openapi/documented-bodies.js'
import { problemSchema } from '../../http/problem.js'
import { parseBearer, principalOf, Public, RequireRole, SignsIn, type RequestWithPrincipal } from '../access.js'
import { callerOf } from '../audit-trail.js'
import { CredentialCache } from '../credential-cache.js'
import { OidcSignIn } from '../oidc/oidc-sign-in.js'
import { SessionLinks } from './session-links.js'
import { SessionStart } from './session-start.js'
import { Sessions } from './sessions.js'
import {
  linkResponse,
  methodsResponse,
  sessionResponse,
  signInRequest,
  toSessionResponse,
  type SessionResponse,
  type SignInRequest,
} from './sessions.schemas.js'

/** The session of the browser that asks. */
@ApiTags('access')
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/session')
export class SessionController {
  constructor(
    private readonly starts: SessionStart,
    private readonly sessions: Sessions,
    private readonly links: SessionLinks,
    private readonly credentials: CredentialCache,
    private readonly oidc: OidcSignIn,
  ) {}

  @Post()
  @SignsIn('body')
  @HttpCode(201)
  @OptionalBody()
  @ApiOperation({ summary: 'Sign in a browser with an API key or a one-time link: the response sets its cookie' })
  @ApiResponse({ status: 201, description: 'The session', standardSchema: sessionResponse })
  async signIn(
    @Body({ schema: signInRequest.optional() }) body: SignInRequest | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SessionResponse> {
    const { link_token: link, api_key: key = parseBearer(request.headers.authorization) } = body ?? {}
    if (link === undefined && key === undefined) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send `api_key` or `link_token` in a JSON body.')
    }
    const session = await this.starts.start(
      link === undefined ? await this.starts.holderOfKey(key ?? '', request) : await this.links.redeem(link, request),
      request,
      reply,
    )
    void reply.header('location', '/v1/session')
    return toSessionResponse(session, session.id)
  }

  @Get()
  @ApiBearerAuth()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The session of this browser' })
  @ApiResponse({ status: 200, description: 'The session', standardSchema: sessionResponse })
  get(@Req() request: RequestWithPrincipal): SessionResponse {
    const session = sessionOf(request)
    return toSessionResponse(session, session.id)
  }

  @Delete()
  @ApiBearerAuth()
  @RequireRole('viewer')
  @HttpCode(204)
  @ApiOperation({ summary: 'Sign out this browser' })
  @ApiResponse({ status: 204, description: 'Signed out' })
  async signOut(@Req() request: RequestWithPrincipal, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.sessions.end(sessionOf(request).id, callerOf(request))
    this.credentials.clear()
    this.starts.signOut(request, reply)
  }

  @Get('methods')
  @Public()
  @ApiOperation({ summary: 'How a browser can sign in here' })
  @ApiResponse({ status: 200, description: 'The ways', standardSchema: methodsResponse })
  methods(): z.infer<typeof methodsResponse> {
    const { label } = this.oidc
    return { is_required: true, api_key: true, link: true, oidc: label !== null, oidc_label: label }
  }

  @Post('link')
  @ApiBearerAuth()
  @RequireRole('viewer')
  @HttpCode(201)
  @ApiOperation({ summary: 'Make a one-time link that signs in a browser with the API key of this request' })
  @ApiResponse({ status: 201, description: 'The link, with its token', standardSchema: linkResponse })
  async link(@Req() request: RequestWithPrincipal) {
    const { token, expiresAt } = await this.links.create(callerOf(request))
    return { link_token: token, expires_at: expiresAt.toISOString() }
  }
}

/** @throws {MemoryGuardError} RESOURCE_NOT_FOUND for a caller without a session. */
const sessionOf = (request: RequestWithPrincipal): Session => {
  const { session } = principalOf(request)
  if (session) return session
  throw new MemoryGuardError(
    'RESOURCE_NOT_FOUND',
    'This request was not made with a session, but with a key or a token.',
  )
}
