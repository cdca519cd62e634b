import { ConfigModule, getConfigToken, registerAs } from '@nestjs/config'
import { Module, type DynamicModule } from '@nestjs/common'
import type { Config } from './config/load-config.js'
import { Lifecycle } from './lifecycle.js'
import type { Logger } from './logging/index.js'
import { Tracing } from './tracing.js'

const namespace = 'memoryguard'

/** Injection token of the checked configuration (`Config`). */
export const CONFIG = getConfigToken(namespace)
/** Injection token of the process's logger (`Logger`). */
export const LOGGER = Symbol('LOGGER')

/** The configuration and the log of the process. Both exist before the container does. */
@Module({})
export class PlatformModule {
  static for(config: Config, log: Logger): DynamicModule {
    return {
      module: PlatformModule,
      global: true,
      imports: [
        // The environment has been read and checked by `loadConfig`: nothing else reads it.
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [registerAs(namespace, () => config)] }),
      ],
      providers: [
        { provide: LOGGER, useValue: log },
        { provide: Lifecycle, useFactory: () => new Lifecycle(log) },
        { provide: Tracing, useFactory: () => new Tracing(config.tracing, log) },
      ],
      exports: [LOGGER, Lifecycle, Tracing],
    }
  }
}
