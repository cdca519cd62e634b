import { Controller, Delete, Param, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { principalOf, RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { pathId } from '../http/path-id.js'
import { problemSchema } from '../http/problem.js'
import { erasureResponse, type ErasureResponse } from './users.schemas.js'
import { UsersService } from './users.service.js'

@ApiTags('users')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/users/:user_id')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Delete()
  @RequireRole('submitter')
  @ApiOperation({
    summary: "Erase a person's data: rows, results and queued work",
    description:
      'Needs the role operator, or a key bound to the person, which is erased too. A later request for an erased ' +
      'prediction, task or batch gets 410. The audit trail keeps a pseudonym.',
  })
  @ApiResponse({ status: 200, description: 'Erased, with the number of rows by kind', standardSchema: erasureResponse })
  erase(
    @Param('user_id', { schema: pathId }) userId: number,
    @Req() request: RequestWithPrincipal,
  ): Promise<ErasureResponse> {
    return this.users.erase(userId, principalOf(request), request.id)
  }
}
