import { FolderScanner, ModelCatalogue } from '#libs/ml/manifest'
import { CONFIG, type Config } from '#libs/platform'
import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { ModelStates } from './model-states.js'
import { ModelsController } from './models.controller.js'
import { ModelsService } from './models.service.js'

/** What is known of the models from their folders and from the workers; the graphs are never loaded here. */
@Module({
  imports: [AccessModule],
  controllers: [ModelsController],
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
    ModelsService,
  ],
  exports: [ModelCatalogue],
})
export class ModelsModule {}
