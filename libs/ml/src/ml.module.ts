import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Module } from '@nestjs/common'
import { ModelRegistry } from './registry/model-registry.js'
import { RiskModels } from './registry/risk-models.js'
import { COMPUTE_POOL, type ComputePool } from './runtime/compute-pool.js'
import { PreforkPool } from './runtime/prefork-pool.js'
import { SoloPool } from './runtime/solo-pool.js'

const createPool = ({ worker }: Config, log: Logger): ComputePool =>
  worker.pool === 'solo'
    ? new SoloPool()
    : new PreforkPool(
        {
          size: worker.concurrency,
          maxTasksPerChild: worker.maxTasksPerChild,
          maxMemoryPerChildKb: worker.maxMemoryPerChildKb,
        },
        log,
      )

/** The compute pool of the configuration, and the models on it. */
@Module({
  providers: [{ provide: COMPUTE_POOL, inject: [CONFIG, LOGGER], useFactory: createPool }, ModelRegistry, RiskModels],
  exports: [COMPUTE_POOL, ModelRegistry, RiskModels],
})
export class MlModule {}
