import { Inject, Injectable } from '@nestjs/common'
import { DataSource, LessThan } from 'typeorm'
import type { Database } from '../connection/database.js'
import { HealthMetricsEntity } from './health-metrics.entity.js'

/** A measurement to be recorded. */
export interface NewMeasurement {
  readonly userId: number
  readonly recordedAt: Date
  readonly metrics: Readonly<Record<string, number>>
  /** Id of the API key that records it. */
  readonly recordedBy?: string | undefined
}

/** What was measured of a person at one time. */
export interface Measurement extends NewMeasurement {
  readonly id: number
  readonly createdAt: Date
}

/**
 * What became of a recording: `known` stood there already with the same metrics; `time` and `day` were refused, because
 * the person has other metrics of that time, or another MMSE of that day (UTC).
 */
export type Recording =
  { readonly kind: 'new' | 'known'; readonly measurement: Measurement } | { readonly kind: 'time' | 'day' }

/** A person's measurements as one statement saw them. */
export interface MeasuredHistory {
  /** The database's time when they were read; none is later. */
  readonly readAt: Date
  /** Newest first. */
  readonly measurements: readonly { readonly at: Date; readonly metrics: Readonly<Record<string, number>> }[]
}

/** Dated measurements of people. */
@Injectable()
export class HealthMetricsRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  /** Records a measurement unless it contradicts one that stands there. The same one again changes nothing. */
  async record({ userId, recordedAt, metrics, recordedBy }: NewMeasurement): Promise<Recording> {
    const [inserted]: { id: string; created_at: Date }[] = await this.database.query(
      `INSERT INTO health_metrics (user_id, recorded_at, metrics, recorded_by) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING id, created_at`,
      [userId, recordedAt, JSON.stringify(metrics), recordedBy ?? null],
    )
    if (inserted) {
      const measurement = { id: Number(inserted.id), userId, recordedAt, metrics, createdAt: inserted.created_at }
      return { kind: 'new', measurement }
    }
    const [found]: { id: string; created_at: Date; is_same: boolean }[] = await this.database.query(
      `SELECT id, created_at, metrics = $3::jsonb AS is_same FROM health_metrics WHERE user_id = $1 AND recorded_at = $2`,
      [userId, recordedAt, JSON.stringify(metrics)],
    )
    if (!found) return { kind: 'day' }
    if (!found.is_same) return { kind: 'time' }
    const measurement = { id: Number(found.id), userId, recordedAt, metrics, createdAt: found.created_at }
    return { kind: 'known', measurement }
  }

  /** A person's measurements, newest first, those before a time if it is given. */
  async list(userId: number, limit: number, before?: Date): Promise<readonly Measurement[]> {
    const rows = await this.database.getRepository(HealthMetricsEntity).find({
      where: { userId: String(userId), ...(before && { recordedAt: LessThan(before) }) },
      order: { recordedAt: 'DESC' },
      take: limit,
    })
    return rows.map(({ id, recordedAt, metrics, createdAt }) => ({
      id: Number(id),
      userId,
      recordedAt,
      metrics,
      createdAt,
    }))
  }

  /** The newest value of each of the named metrics, by person; whoever has none of them is left out. */
  async readLatest(
    userIds: readonly number[],
    names: readonly string[],
  ): Promise<ReadonlyMap<number, Readonly<Record<string, number>>>> {
    const rows: { user_id: string; metrics: Record<string, number> }[] = await this.database.query(
      `SELECT u.user_id, jsonb_object_agg(m.name, m.value) AS metrics
       FROM (SELECT DISTINCT user_id FROM unnest($1::bigint[]) AS given(user_id)) u CROSS JOIN LATERAL (
         SELECT DISTINCT ON (e.key) e.key AS name, e.value
         FROM health_metrics h, jsonb_each(h.metrics) AS e
         WHERE h.user_id = u.user_id AND e.key = ANY($2::text[])
         ORDER BY e.key, h.recorded_at DESC) m
       GROUP BY u.user_id`,
      [userIds, names],
    )
    return new Map(rows.map(({ user_id: userId, metrics }) => [Number(userId), metrics]))
  }

  /** Removes one measurement of a person; returns whether there was one. */
  async remove(userId: number, id: number): Promise<boolean> {
    const { affected } = await this.database
      .getRepository(HealthMetricsEntity)
      .delete({ id: String(id), userId: String(userId) })
    return (affected ?? 0) > 0
  }

  /**
   * The measurements of some people that hold one of the named metrics, at most `limit` of the newest of each; in the
   * order given. A person without any has an empty history.
   */
  async readHistories(
    userIds: readonly number[],
    names: readonly string[],
    limit: number,
  ): Promise<readonly MeasuredHistory[]> {
    const rows: { user_id: string; read_at: Date; recorded_at: Date | null; metrics: Record<string, number> }[] =
      await this.database.query(
        `SELECT u.user_id, greatest(now(), max(m.recorded_at) OVER (PARTITION BY u.user_id)) AS read_at,
           m.recorded_at, m.metrics
         FROM (SELECT DISTINCT user_id FROM unnest($1::bigint[]) AS given(user_id)) u
         LEFT JOIN LATERAL (
           SELECT recorded_at, metrics FROM health_metrics h
           WHERE h.user_id = u.user_id AND h.metrics ?| $2::text[]
           ORDER BY recorded_at DESC LIMIT $3) m ON true
         ORDER BY u.user_id, m.recorded_at DESC`,
        [userIds, names, limit],
      )
    const histories = new Map<number, { readAt: Date; measurements: { at: Date; metrics: Record<string, number> }[] }>()
    for (const { user_id, read_at, recorded_at, metrics } of rows) {
      const history = histories.get(Number(user_id)) ?? { readAt: read_at, measurements: [] }
      if (recorded_at) history.measurements.push({ at: recorded_at, metrics })
      histories.set(Number(user_id), history)
    }
    return userIds.map((userId) => {
      const history = histories.get(userId)
      if (!history) throw new Error('The histories of the people asked for were not all read')
      return history
    })
  }
}
