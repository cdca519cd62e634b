import { Injectable } from '@nestjs/common'
import { DataSource, In } from 'typeorm'
import { WorkerEntity } from './worker.entity.js'

/** The contents of a heartbeat. */
export type Heartbeat = Omit<WorkerEntity, 'startedAt' | 'heartbeatAt'>

/** A worker is stale without a heartbeat for this long. */
const staleSeconds = 15

/**
 * SQL: whether `twin` is another live process with the name of `worker`. One that was killed has no heartbeat after its
 * successor's start, so a restart is no duplicate.
 */
const livesBeside = (twin: string, worker: string): string =>
  `${twin}.name = ${worker}.name AND ${twin}.id <> ${worker}.id AND ${twin}.state <> 'stopped'
     AND ${twin}.heartbeat_at > greatest(now() - interval '${staleSeconds} s', ${worker}.started_at)`

/** A worker as of its last heartbeat. */
export interface SeenWorker {
  readonly worker: WorkerEntity
  /** Its heartbeat is overdue: it hangs, or it died without recording its end. */
  readonly isStale: boolean
  /** Other processes of its name that live at the same time. */
  readonly duplicates: number
}

@Injectable()
export class WorkerRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Writes the row of a worker; the first write sets its start, each sets the time of the heartbeat. Returns how many
   * other processes of its name live.
   */
  async beat(worker: Heartbeat): Promise<number> {
    const rows: { duplicates: number }[] = await this.dataSource.query(
      `INSERT INTO workers (id, name, hostname, pid, state, queues, pool, concurrency, stats, models, versions,
         model_states, tasks)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, queues = excluded.queues,
         concurrency = excluded.concurrency, stats = excluded.stats, models = excluded.models,
         model_states = excluded.model_states, heartbeat_at = now()
       RETURNING (SELECT count(*)::int FROM workers twin WHERE ${livesBeside('twin', 'workers')}) AS duplicates`,
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
        worker.tasks,
      ],
    )
    return rows[0]?.duplicates ?? 0
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

  /** Of every worker name seen within the last day, or of one name: the last process that lives, or else the last. */
  async listLast(name?: string): Promise<readonly SeenWorker[]> {
    const rows: WorkerRow[] = await this.dataSource.query(
      `WITH last AS MATERIALIZED (
         SELECT DISTINCT ON (name) id, name, started_at, heartbeat_at < now() - interval '${staleSeconds} s' AS is_stale
         FROM workers
         WHERE heartbeat_at > now() - interval '1 day' AND ($1::text IS NULL OR name = $1)
         ORDER BY name, state <> 'stopped' AND heartbeat_at > now() - interval '${staleSeconds} s' DESC, started_at DESC
       )
       -- Joined, not asked for each: the time must not grow with the square of the workers.
       SELECT last.id, last.is_stale, count(twin.id)::int AS duplicates
       FROM last LEFT JOIN workers twin ON ${livesBeside('twin', 'last')}
       GROUP BY last.id, last.name, last.is_stale ORDER BY last.name`,
      [name ?? null],
    )
    const found = await this.dataSource.getRepository(WorkerEntity).findBy({ id: In(rows.map(({ id }) => id)) })
    const workers = new Map(found.map((worker) => [worker.id, worker]))
    return rows.flatMap(({ id, is_stale: isSilent, duplicates }) => {
      const worker = workers.get(id)
      return worker ? [{ worker, isStale: isSilent && worker.state !== 'stopped', duplicates }] : []
    })
  }
}

interface WorkerRow {
  id: string
  is_stale: boolean
  duplicates: number
}
