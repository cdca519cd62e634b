import { Injectable } from '@nestjs/common'

/** Where the process stands between start and stop. */
@Injectable()
export class ProcessState {
  state: 'starting' | 'ready' | 'draining' = 'starting'
}
