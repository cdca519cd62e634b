import type { EntityManager } from 'typeorm'

/** What the statements of a repository run on: the pool of a process, or one transaction. */
export type Database = Pick<EntityManager, 'query' | 'getRepository' | 'transaction'>
