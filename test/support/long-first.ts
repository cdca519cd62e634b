import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take long, the longest first. */
const longFiles = [
  'stalled-worker',
  'partial-loss',
  'replaced-workers',
  'celery-clients',
  'blocked-compute',
  'clocks',
  'pgbouncer',
  'broker-outages',
  'outages',
  'random-kills',
  'shutdown',
  'operations',
  'celery-kills',
  'faults',
  'development',
  'database-states',
  'node-versions',
  'start',
  'adding-a-task',
  'access',
  'plans',
  'revoking',
  'embedded-postgres',
  'broker-probe',
  'event-streams',
].map((name) => `${name}.spec.ts`)

/** Starts long files first, so that none of them runs alone at the end. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longFiles.indexOf(basename(moduleId))
      return index === -1 ? longFiles.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
