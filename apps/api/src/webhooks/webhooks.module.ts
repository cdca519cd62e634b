import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { WebhooksController } from './webhooks.controller.js'
import { WebhooksService } from './webhooks.service.js'

/** Who is told of the ends of tasks. The workers send. */
@Module({ imports: [AccessModule], controllers: [WebhooksController], providers: [WebhooksService] })
export class WebhooksModule {}
