import { Controller, Get, Query } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { CurrentPrincipal, RequireRole, type Principal } from '../access/access.js'
import { problemSchema } from '../http/problem.js'
import { TaskFailures } from './task-failures.js'
import {
  failureQuery,
  failureResponse,
  suggestionQuery,
  suggestionResponse,
  type FailureQuery,
  type FailureResponse,
  type SuggestionQuery,
  type SuggestionResponse,
} from './task-search.schemas.js'
import { TaskSuggestions } from './task-suggestions.js'

@ApiTags('tasks')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/tasks')
export class TaskSearchController {
  constructor(
    private readonly failures: TaskFailures,
    private readonly suggestions: TaskSuggestions,
  ) {}

  @Get('errors')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'Failures of a time, by default of the last day, grouped by error and kind of task' })
  @ApiResponse({ status: 200, description: 'The groups', standardSchema: failureResponse })
  group(
    @Query({ schema: failureQuery }) query: FailureQuery,
    @CurrentPrincipal() principal: Principal,
  ): Promise<FailureResponse> {
    return this.failures.group(query, principal)
  }

  @Get('suggestions')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'What a search text says, what of it is not understood, and how it may go on' })
  @ApiResponse({ status: 200, description: 'Filter and suggestions', standardSchema: suggestionResponse })
  suggest(
    @Query({ schema: suggestionQuery }) { q = '' }: SuggestionQuery,
    @CurrentPrincipal() principal: Principal,
  ): Promise<SuggestionResponse> {
    return this.suggestions.complete(q, principal)
  }
}
