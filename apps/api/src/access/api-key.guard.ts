import type { Role } from '#libs/database'
import { MemoryGuardError } from '#libs/platform'
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { mayActAs, parseBearer, publicMetadata, roleMetadata, type RequestWithPrincipal } from './access.js'
import { KeyCache } from './key-cache.js'

/** Lets a request in by its key and the route's least role; what says nothing of access is refused. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly keys: KeyCache,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()]
    if (this.reflector.getAllAndOverride<boolean | undefined>(publicMetadata, places)) return true
    const request = context.switchToHttp().getRequest<RequestWithPrincipal>()
    const key = parseBearer(request.headers.authorization)
    if (!key) {
      throw new MemoryGuardError('ACCESS_KEY_MISSING', 'Send your key as `Authorization: Bearer mg_...`.')
    }
    const principal = await this.keys.find(key)
    if (!principal) {
      throw new MemoryGuardError('ACCESS_KEY_INVALID', 'The key is unknown, revoked or past its expiry.')
    }
    const needed = this.reflector.getAllAndOverride<Role | undefined>(roleMetadata, places)
    if (!needed || !mayActAs(principal.role, needed)) {
      throw new MemoryGuardError('ACCESS_ROLE_MISSING', `This needs a key with the role ${needed ?? 'of nobody'}.`)
    }
    request.principal = principal
    return true
  }
}
