import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { RequireRole, type RequestWithPrincipal } from '../access/access.js'
import { callerOf } from '../access/audit-trail.js'
import { problemSchema } from '../http/problem.js'
import {
  deliveryResponse,
  deliveryPage,
  deliveryQuery,
  newWebhookResponse,
  secretResponse,
  toDeliveryResponse,
  toWebhookResponse,
  uuidParameter,
  webhookResponse,
  webhookPage,
  webhookPatch,
  webhookRequest,
  type DeliveryResponse,
  type DeliveryQuery,
  type NewWebhookResponse,
  type SecretResponse,
  type WebhookResponse,
  type WebhookPatch,
  type WebhookRequest,
} from './webhooks.schemas.js'
import { WebhooksService } from './webhooks.service.js'

@ApiTags('webhooks')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Get()
  @RequireRole('operator')
  @ApiOperation({ summary: 'Every webhook, newest first, without its secret' })
  @ApiResponse({ status: 200, description: 'The webhooks', standardSchema: webhookPage })
  async list(): Promise<{ items: WebhookResponse[]; next_cursor: null }> {
    return { items: (await this.webhooks.list()).map(toWebhookResponse), next_cursor: null }
  }

  @Post()
  @RequireRole('admin')
  @HttpCode(201)
  @ApiOperation({ summary: 'Notify a URL when tasks end from now on, signed as in Standard Webhooks' })
  @ApiResponse({ status: 201, description: 'The webhook, with its secret', standardSchema: newWebhookResponse })
  async create(
    @Body({ schema: webhookRequest }) body: WebhookRequest,
    @Req() request: RequestWithPrincipal,
  ): Promise<NewWebhookResponse> {
    const { webhook, secret } = await this.webhooks.create(body, callerOf(request))
    return { ...toWebhookResponse(webhook), secret }
  }

  @Get(':id')
  @RequireRole('operator')
  @ApiOperation({ summary: 'A webhook, without its secret' })
  @ApiResponse({ status: 200, description: 'The webhook', standardSchema: webhookResponse })
  async get(@Param('id', { schema: uuidParameter }) id: string): Promise<WebhookResponse> {
    return toWebhookResponse(await this.webhooks.get(id))
  }

  @Patch(':id')
  @RequireRole('admin')
  @ApiOperation({ summary: 'Change a webhook, or switch it off and on' })
  @ApiResponse({ status: 200, description: 'The webhook', standardSchema: webhookResponse })
  async update(
    @Param('id', { schema: uuidParameter }) id: string,
    @Body({ schema: webhookPatch }) patch: WebhookPatch,
    @Req() request: RequestWithPrincipal,
  ): Promise<WebhookResponse> {
    return toWebhookResponse(await this.webhooks.update(id, patch, callerOf(request)))
  }

  @Delete(':id')
  @RequireRole('admin')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a webhook with the log of its deliveries' })
  @ApiResponse({ status: 204, description: 'Removed' })
  remove(@Param('id', { schema: uuidParameter }) id: string, @Req() request: RequestWithPrincipal): Promise<void> {
    return this.webhooks.remove(id, callerOf(request))
  }

  @Post(':id/rotate-secret')
  @RequireRole('admin')
  @HttpCode(200)
  @ApiOperation({ summary: 'Make a new secret; for 24 hours both sign' })
  @ApiResponse({ status: 200, description: 'The new secret, shown this once', standardSchema: secretResponse })
  async rotateSecret(
    @Param('id', { schema: uuidParameter }) id: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<SecretResponse> {
    return { id, secret: await this.webhooks.rotateSecret(id, callerOf(request)) }
  }

  @Post(':id/test')
  @RequireRole('operator')
  @HttpCode(202)
  @ApiOperation({ summary: 'Send a message of the type `webhook.test`' })
  @ApiResponse({ status: 202, description: 'The delivery, not yet attempted', standardSchema: deliveryResponse })
  async test(
    @Param('id', { schema: uuidParameter }) id: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<DeliveryResponse> {
    return toDeliveryResponse(id, await this.webhooks.test(id, callerOf(request)))
  }

  @Get(':id/deliveries')
  @RequireRole('operator')
  @ApiOperation({ summary: 'What was sent to a webhook, newest first; kept for 30 days' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: deliveryPage })
  listDeliveries(
    @Param('id', { schema: uuidParameter }) id: string,
    @Query({ schema: deliveryQuery }) query: DeliveryQuery,
  ) {
    return this.webhooks.listDeliveries(id, query)
  }

  @Post(':id/deliveries/:delivery/redeliver')
  @RequireRole('operator')
  @HttpCode(202)
  @ApiOperation({ summary: 'Send a message again, with the same id' })
  @ApiResponse({ status: 202, description: 'The delivery, due now', standardSchema: deliveryResponse })
  async redeliver(
    @Param('id', { schema: uuidParameter }) id: string,
    @Param('delivery', { schema: uuidParameter }) delivery: string,
    @Req() request: RequestWithPrincipal,
  ): Promise<DeliveryResponse> {
    return toDeliveryResponse(id, await this.webhooks.redeliver(id, delivery, callerOf(request)))
  }
}
