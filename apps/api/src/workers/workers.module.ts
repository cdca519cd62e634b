import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { WorkersController } from './workers.controller.js'

/** Workers: what each reports, and the commands that operators send to them. */
@Module({ imports: [AccessModule], controllers: [WorkersController] })
export class WorkersModule {}
