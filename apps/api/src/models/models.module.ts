import { ModelCatalogue, readModelFolders } from '#libs/ml/manifest'
import { CONFIG, LOGGER, type Config, type Logger } from '#libs/platform'
import { Module } from '@nestjs/common'
import { ModelsController } from './models.controller.js'

/** Reads the model folders once, at start; the graphs are never loaded here. */
const readCatalogue = async (
  { models: { folder, default: fallback } }: Config,
  log: Logger,
): Promise<ModelCatalogue> => {
  const { models, broken } = await readModelFolders(folder)
  for (const { path, error } of broken) log.error({ path, err: error }, 'a model folder is not usable')
  return new ModelCatalogue(models, fallback)
}

@Module({
  controllers: [ModelsController],
  providers: [{ provide: ModelCatalogue, inject: [CONFIG, LOGGER], useFactory: readCatalogue }],
  exports: [ModelCatalogue],
})
export class ModelsModule {}
