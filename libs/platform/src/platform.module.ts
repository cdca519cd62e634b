import { Module, type DynamicModule } from '@nestjs/common'
import type { Config } from './config.js'
import type { Logger } from './logging/index.js'

/** Injection token of the checked configuration (`Config`). */
export const CONFIG = Symbol('CONFIG')
/** Injection token of the process's logger (`Logger`). */
export const LOGGER = Symbol('LOGGER')

/** What every part may ask for; both exist before the container does. */
@Module({})
export class PlatformModule {
  static for(config: Config, log: Logger): DynamicModule {
    return {
      module: PlatformModule,
      global: true,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: log },
      ],
      exports: [CONFIG, LOGGER],
    }
  }
}
