import { Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import { WorkerEntity } from '../entities/worker.entity.js'

/** Everything a heartbeat tells. */
export type Heartbeat = Omit<WorkerEntity, 'startedAt' | 'heartbeatAt'>

@Injectable()
export class WorkerRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Writes the row of a worker; the first write sets its start, each sets the time of the heartbeat. */
  async beat(worker: Heartbeat): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO workers (id, name, hostname, pid, state, queues, pool, concurrency, stats, models, versions,
         model_states)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, queues = excluded.queues,
         concurrency = excluded.concurrency, stats = excluded.stats, models = excluded.models,
         model_states = excluded.model_states, heartbeat_at = now()`,
      [
        worker.id,
        worker.name,
        worker.hostname,
        worker.pid,
        worker.state,
        worker.queues,
        worker.pool,
        worker.concurrency,
        JSON.stringify(worker.stats),
        worker.models,
        JSON.stringify(worker.versions),
        JSON.stringify(worker.modelStates),
      ],
    )
  }

  /** Every worker seen within the last `withinSeconds`, by name. */
  async listSeen(withinSeconds: number): Promise<readonly WorkerEntity[]> {
    return this.dataSource
      .getRepository(WorkerEntity)
      .createQueryBuilder('worker')
      .where('worker.heartbeat_at > now() - make_interval(secs => :withinSeconds)', { withinSeconds })
      .orderBy('worker.name')
      .addOrderBy('worker.started_at')
      .getMany()
  }
}
