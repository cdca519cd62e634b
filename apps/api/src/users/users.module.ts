import { Module } from '@nestjs/common'
import { AccessModule } from '../access/access.module.js'
import { UsersController } from './users.controller.js'
import { UsersService } from './users.service.js'

/** People as a whole. */
@Module({
  imports: [AccessModule],
  controllers: [UsersController],
  providers: [UsersService],
})
export class UsersModule {}
