import { Injectable } from '@nestjs/common'

/** Where the process stands between start and stop. */
@Injectable()
export class Lifecycle {
  state: 'starting' | 'ready' | 'draining' = 'starting'
}
