import type { Logger } from 'typeorm'

/** TypeORM prints failed migrations itself, whatever its options say; every error of it reaches our own log. */
export class SilentLogger implements Logger {
  logQuery(): void {}
  logQueryError(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
