import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { WebhooksController } from './webhooks.controller.js'
import { WebhooksService } from './webhooks.service.js'

/** Webhooks: URLs that are notified when tasks end. The workers send the messages. */
@Module({ imports: [AccessModule], controllers: [WebhooksController], providers: [WebhooksService] })
export class WebhooksModule {}
