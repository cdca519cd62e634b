import { FolderScanner, ModelCatalogue } from '#libs/ml/manifest'
import { CONFIG, type Config } from '#libs/platform'
import { Module } from '@nestjs/common'
import { BatchSubmitter } from './batches/batch-submitter.js'
import { ModelStates } from './model-states.js'
import { taskClientProvider } from './task-client.provider.js'
import { TaskResults } from './task-results.js'

/**
 * What stands between callers and tasks, whatever protocol the callers speak: which models serve, the checks of metrics,
 * the acceptance of batches, and where results are read. The graphs of models are never loaded here.
 */
@Module({
  providers: [
    {
      provide: FolderScanner,
      inject: [CONFIG],
      useFactory: ({ models }: Config) => new FolderScanner(models.folder),
    },
    {
      provide: ModelCatalogue,
      inject: [CONFIG],
      useFactory: ({ models }: Config) => new ModelCatalogue([], models.default),
    },
    ModelStates,
    BatchSubmitter,
    TaskResults,
    taskClientProvider,
  ],
  exports: [ModelCatalogue, ModelStates, BatchSubmitter, TaskResults, taskClientProvider],
})
export class CallsModule {}
