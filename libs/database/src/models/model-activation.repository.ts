import { Inject, Injectable } from '@nestjs/common'
import { DataSource } from 'typeorm'
import type { Database } from '../connection/database.js'
import { ModelActivationEntity } from './model-activation.entity.js'

/** How often the results of two versions fell into two categories: `low>high`, from the served to the shadow's. */
export type CategoryChanges = Readonly<Record<string, number>>

/** How a shadow's results differ from those that were served, over people. Differences are shadow minus served. */
export interface ShadowDifferences {
  /** `name@version` of the shadow. */
  readonly model: string
  /** `name@version` that was served. */
  readonly served: string
  readonly compared: number
  /** People for whom the shadow failed. */
  readonly failed: number
  /** People left out because the worker was busy. */
  readonly skipped: number
  readonly sumDifference: number
  readonly sumAbsolute: number
  readonly maxAbsolute: number
  readonly categoryChanges: CategoryChanges
}

/** Which versions of the models serve and shadow. */
@Injectable()
export class ModelActivationRepository {
  constructor(@Inject(DataSource) private readonly database: Database) {}

  list(): Promise<readonly ModelActivationEntity[]> {
    return this.database.getRepository(ModelActivationEntity).find()
  }

  /** The chosen version of each model, by its name; a model without one is missing. */
  async listActiveVersions(): Promise<ReadonlyMap<string, string>> {
    const activations = await this.list()
    return new Map(
      activations.flatMap(({ name, versions }): [string, string][] => {
        const version = versions.at(-1)
        return version === undefined ? [] : [[name, version]]
      }),
    )
  }

  /** Makes a version the active one. `current` is the one that serves now, to return to; a shadow that it was ends. */
  async activate(name: string, version: string, current: string): Promise<void> {
    await this.database.query(
      `INSERT INTO model_activations AS a (name, versions)
       VALUES ($1, CASE WHEN $2 = $3 THEN ARRAY[$2] ELSE ARRAY[$3, $2] END)
       ON CONFLICT (name) DO UPDATE SET changed_at = now(),
         versions = CASE
           WHEN a.versions = '{}' THEN excluded.versions
           WHEN a.versions[cardinality(a.versions)] = $2 THEN a.versions
           ELSE (a.versions || $2)[greatest(1, cardinality(a.versions) - 18):] END,
         shadow = nullif(a.shadow, $2), shadow_since = CASE WHEN a.shadow <> $2 THEN a.shadow_since END`,
      [name, version, current],
    )
  }

  /** Returns to the version before; returns whether there was one. */
  async rollback(name: string): Promise<boolean> {
    const [rows]: [unknown[], number] = await this.database.query(
      `UPDATE model_activations SET versions = versions[:cardinality(versions) - 1], changed_at = now()
       WHERE name = $1 AND cardinality(versions) > 1 RETURNING name`,
      [name],
    )
    return rows.length > 0
  }

  /** Has a version run beside the active one. Its report begins anew unless it was the shadow already. */
  async startShadow(name: string, version: string): Promise<void> {
    await this.database.query(
      `WITH before AS (
         SELECT shadow FROM model_activations WHERE name = $1
       ), cleared AS (
         DELETE FROM shadow_reports WHERE model = $1 || '@' || $2 AND $2 NOT IN (SELECT shadow FROM before WHERE shadow IS NOT NULL)
       )
       INSERT INTO model_activations AS a (name, shadow, shadow_since) VALUES ($1, $2, now())
       ON CONFLICT (name) DO UPDATE SET shadow = $2, changed_at = now(),
         shadow_since = CASE WHEN a.shadow = $2 THEN a.shadow_since ELSE now() END`,
      [name, version],
    )
  }

  /** Ends the shadow if it is this version; its report stays. */
  async stopShadow(name: string, version: string): Promise<void> {
    await this.database.query(
      `UPDATE model_activations SET shadow = NULL, shadow_since = NULL, changed_at = now()
       WHERE name = $1 AND shadow = $2`,
      [name, version],
    )
  }

  /** Adds what a worker has counted since it last did. */
  async addShadowDifferences(differences: readonly ShadowDifferences[]): Promise<void> {
    await this.database.query(
      `INSERT INTO shadow_reports AS r (model, served, compared, failed, skipped, sum_difference, sum_absolute,
         max_absolute, category_changes)
       SELECT model, served, compared, failed, skipped, "sumDifference", "sumAbsolute", "maxAbsolute", "categoryChanges"
       FROM jsonb_to_recordset($1::jsonb) AS i(model text, served text, compared bigint, failed bigint, skipped bigint,
         "sumDifference" double precision, "sumAbsolute" double precision, "maxAbsolute" double precision,
         "categoryChanges" jsonb)
       ON CONFLICT (model, served) DO UPDATE SET
         compared = r.compared + excluded.compared, failed = r.failed + excluded.failed,
         skipped = r.skipped + excluded.skipped, sum_difference = r.sum_difference + excluded.sum_difference,
         sum_absolute = r.sum_absolute + excluded.sum_absolute,
         max_absolute = greatest(r.max_absolute, excluded.max_absolute),
         category_changes = (
           SELECT coalesce(jsonb_object_agg(change, total), '{}') FROM (
             SELECT key AS change, sum(value::bigint) AS total
             FROM (SELECT * FROM jsonb_each_text(r.category_changes)
               UNION ALL SELECT * FROM jsonb_each_text(excluded.category_changes)) AS both_counts
             GROUP BY key) AS added)`,
      [JSON.stringify(differences)],
    )
  }

  /** The differences of a shadow, one entry for each version that was served meanwhile. */
  async listShadowDifferences(model: string): Promise<readonly ShadowDifferences[]> {
    return this.database.query(
      `SELECT model, served, compared::float8, failed::float8, skipped::float8, sum_difference AS "sumDifference",
         sum_absolute AS "sumAbsolute", max_absolute AS "maxAbsolute", category_changes AS "categoryChanges"
       FROM shadow_reports WHERE model = $1 ORDER BY served`,
      [model],
    )
  }
}
