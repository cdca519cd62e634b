import { Controller, Delete, Get, HttpCode, Param, Post, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { callerOf } from '../access/audit-trail.js'
import { problemSchema } from '../http/problem.js'
import {
  activationResponse,
  modelDetail,
  modelPage,
  namePart,
  shadowReport,
  type ActivationResponse,
  type ModelDetail,
  type ModelPage,
  type ShadowReport,
} from './models.schemas.js'
import { ModelsService } from './models.service.js'

@ApiTags('models')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/models')
export class ModelsController {
  constructor(private readonly models: ModelsService) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The models there are, with their state' })
  @ApiResponse({ status: 200, description: 'Every model', standardSchema: modelPage })
  list(): Promise<ModelPage> {
    return this.models.list()
  }

  @Get(':name/:version')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A model with its card' })
  @ApiResponse({ status: 200, description: 'The model', standardSchema: modelDetail })
  get(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
  ): Promise<ModelDetail> {
    return this.models.get(name, version)
  }

  @Post(':name/:version/activate')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Have a version serve where none is named; running tasks keep theirs' })
  @ApiResponse({ status: 200, description: 'The versions in use', standardSchema: activationResponse })
  async activate(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<ActivationResponse> {
    return this.models.activate(name, version, callerOf(request))
  }

  @Post(':name/rollback')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Return to the version that was active before' })
  @ApiResponse({ status: 200, description: 'The versions in use', standardSchema: activationResponse })
  async rollback(
    @Param('name', { schema: namePart }) name: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<ActivationResponse> {
    return this.models.rollback(name, callerOf(request))
  }

  @Post(':name/:version/shadow')
  @RequireRole('operator')
  @HttpCode(200)
  @ApiOperation({ summary: 'Have a version run on the same inputs, only to be compared' })
  @ApiResponse({ status: 200, description: 'The versions in use', standardSchema: activationResponse })
  async startShadow(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<ActivationResponse> {
    return this.models.startShadow(name, version, callerOf(request))
  }

  @Delete(':name/:version/shadow')
  @RequireRole('operator')
  @ApiOperation({ summary: 'End a shadow; its report stays' })
  @ApiResponse({ status: 200, description: 'The versions in use', standardSchema: activationResponse })
  async stopShadow(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<ActivationResponse> {
    return this.models.stopShadow(name, version, callerOf(request))
  }

  @Get(':name/:version/shadow')
  @RequireRole('viewer')
  @ApiOperation({ summary: "How a shadow's results differ from those that were served" })
  @ApiResponse({ status: 200, description: 'The differences so far', standardSchema: shadowReport })
  getShadowReport(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
  ): Promise<ShadowReport> {
    return this.models.getShadowReport(name, version)
  }
}
