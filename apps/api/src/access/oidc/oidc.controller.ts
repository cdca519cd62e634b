import { CONFIG, MemoryGuardError, type Config } from '#libs/platform'
import { Controller, Get, HttpCode, Inject, Query, Req, Res } from '@nestjs/common'
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Produces } from '../../http/acceptable.js'
import { problemSchema } from '../../http/problem.js'
import { PublicUrl } from '../../http/public-url.js'
import { strictInput } from '../../http/strict-input.js'
import { SignsIn } from '../access.js'
import { BrowserRequests } from '../sessions/browser-requests.js'
import { SessionStart } from '../sessions/session-start.js'
import { SignIns } from '../sign-ins.js'
import { OidcSignIn } from './oidc-sign-in.js'
import { continuationPage, localPath } from './return-path.js'

/** Cookie of a sign-in that is under way. */
const transactionCookie = 'mg-oidc'
/** How long a person may take at the issuer, in seconds. */
const transactionSeconds = 600

const beginQuery = strictInput({
  return_to: localPath.optional().describe('Path of this server to go on to; `/` without it'),
})

/** Issuers add members of their own, such as `session_state`. */
const callbackQuery = z.looseObject({
  code: z.string().optional(),
  state: z.string().optional(),
  iss: z.string().optional().describe('The issuer'),
  error: z.string().optional().describe('Why there is no code'),
})

/** Sign-in of a browser at the OIDC issuer. */
@ApiTags('access')
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/session/oidc')
export class OidcController {
  constructor(
    private readonly oidc: OidcSignIn,
    private readonly signIns: SignIns,
    private readonly starts: SessionStart,
    private readonly browsers: BrowserRequests,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @SignsIn('redirect')
  @HttpCode(302)
  @ApiOperation({ summary: 'Send the browser to the OIDC issuer to sign in' })
  @ApiResponse({ status: 302, description: 'The way to the issuer' })
  async begin(
    @Query({ schema: beginQuery }) { return_to: path = '/' }: z.infer<typeof beginQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    this.mustBeConfigured()
    const { url, kept } = await this.oidc.begin(path)
    // Strict would keep it from being sent when the issuer leads back here.
    this.browsers.set(request, reply, transactionCookie, kept, { maxAgeSeconds: transactionSeconds, sameSite: 'Lax' })
    void reply.header('location', url)
  }

  @Get('callback')
  @SignsIn('redirect')
  @Produces('text/html')
  @ApiOperation({
    summary: 'Where the OIDC issuer sends the browser back to: the response sets the cookie of its session',
  })
  @ApiResponse({ status: 200, description: 'A page that goes on to where the sign-in began' })
  async finish(
    @Query({ schema: callbackQuery }) _query: z.infer<typeof callbackQuery>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    this.mustBeConfigured()
    const kept = this.browsers.read(request, transactionCookie)
    // Each sign-in has one try.
    this.browsers.set(request, reply, transactionCookie, '', { maxAgeSeconds: 0, sameSite: 'Lax' })
    const { holder, path } = await this.oidc.finish(searchOf(request), kept).catch((error: unknown) => {
      const isFailure = error instanceof MemoryGuardError && error.code === 'ACCESS_SIGN_IN_FAILED'
      throw isFailure ? this.signIns.reject(request, error) : error
    })
    await this.starts.start(holder, request, reply)
    void reply.type('text/html; charset=utf-8')
    return continuationPage(new PublicUrl(this.config.http).path + path)
  }

  private mustBeConfigured(): void {
    if (this.oidc.isConfigured) return
    throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'Sign-in by OIDC is not configured here: use an API key.')
  }
}

const searchOf = ({ url }: FastifyRequest): string => (url.includes('?') ? url.slice(url.indexOf('?')) : '')
