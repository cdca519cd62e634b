import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { PlansController } from './plans.controller.js'
import { PlansService } from './plans.service.js'

/** Plans: changes of many tasks, counted before they are made. Every api and worker runs them. */
@Module({ imports: [AccessModule], controllers: [PlansController], providers: [PlansService] })
export class PlansModule {}
