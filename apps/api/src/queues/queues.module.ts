import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { QueuesController } from './queues.controller.js'

/** Queues: depth, rate, pause, resume and purge. */
@Module({ imports: [AccessModule], controllers: [QueuesController] })
export class QueuesModule {}
