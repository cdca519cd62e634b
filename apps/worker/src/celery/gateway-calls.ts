import { CallRevokes } from '#libs/calls/celery'
import type { CallInfo, CeleryCalls, FoundCall, RevokeOptions, ScheduledCall, Stamps } from '#libs/celery'
import { CeleryCallRepository, type OpenCall } from '#libs/database'
import { Inject, Injectable } from '@nestjs/common'
import { WORKER_NAME } from '../control/worker-name.js'
import { ClaimLoop } from './claim-loop.js'
import { TakenCalls } from './taken-calls.js'

/** Most calls that one command shows. */
const shown = 1_000
/** Most revoked ids that a worker tells others when they start. */
const shownRevokes = 10_000

/** The calls of this worker, as commands see and change them. They are read from the database: a restart forgets none. */
@Injectable()
export class GatewayCalls implements CeleryCalls {
  constructor(
    private readonly repository: CeleryCallRepository,
    private readonly revokes: CallRevokes,
    private readonly claims: ClaimLoop,
    private readonly taken: TakenCalls,
    @Inject(WORKER_NAME) private readonly worker: string,
  ) {}

  get queues(): readonly string[] {
    return this.claims.queueNames
  }

  get prefetchCount(): number {
    return this.taken.prefetchCount
  }

  async listActive(): Promise<readonly CallInfo[]> {
    return (await this.listOpen()).filter(({ state }) => state === 'running').map(toInfo)
  }

  async listReserved(): Promise<readonly CallInfo[]> {
    return (await this.listOpen()).filter(isReserved).map(toInfo)
  }

  async listScheduled(): Promise<readonly ScheduledCall[]> {
    return (await this.listOpen()).flatMap((call) =>
      call.state === 'scheduled' && call.eta ? [{ ...toInfo(call), eta: call.eta }] : [],
    )
  }

  async listRevoked(): Promise<readonly string[]> {
    return (await this.revokes.listRecent(shownRevokes)).toReversed()
  }

  async find(ids: readonly string[]): Promise<readonly FoundCall[]> {
    const open = await this.repository.listOpen(this.worker, shown, ids)
    return open.map((call) => ({ ...toInfo(call), state: stateOf(call) }))
  }

  async revoke(ids: readonly string[], { terminate }: RevokeOptions): Promise<readonly string[]> {
    const open = await this.repository.listOpen(this.worker, shown, ids)
    await this.revokes.revoke(ids, terminate)
    return open.map(({ id }) => id)
  }

  revokeStamped(stamps: Stamps, { terminate }: RevokeOptions): Promise<Stamps> {
    return this.revokes.revokeStamped(stamps, terminate)
  }

  async addQueue(name: string): Promise<void> {
    this.claims.addQueue(name)
  }

  async cancelQueue(name: string): Promise<void> {
    this.claims.cancelQueue(name)
  }

  private listOpen(): Promise<readonly OpenCall[]> {
    return this.repository.listOpen(this.worker, shown)
  }
}

const isReserved = ({ state }: OpenCall): boolean => state === 'queued' || state === 'retrying'

const stateOf = (call: OpenCall): FoundCall['state'] => {
  if (call.state === 'running') return 'active'
  return call.state === 'scheduled' ? 'scheduled' : isReserved(call) ? 'reserved' : 'ready'
}

const toInfo = ({ id, name, queue, priority, startedAt, state }: OpenCall): CallInfo => ({
  id,
  task: name,
  queue,
  priority,
  ...(state === 'running' && startedAt && { startedAt }),
})
