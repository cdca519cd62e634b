import { BatchSubmitter } from '#libs/calls'
import { Readable } from 'node:stream'
import { MemoryGuardError } from '#libs/platform'
import { Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common'
import { ApiBearerAuth, ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import {
  CurrentPrincipal,
  principalOf,
  RequireRole,
  type Principal,
  type RequestWithPrincipal,
} from '../access/access.js'
import { chooseType, Produces } from '../http/acceptable.js'
import { parseIdempotencyKey } from '../http/idempotency-key.js'
import { preferHeader, respondToSubmission, waitSecondsOf } from '../http/prefer.js'
import { faultsOf, problemSchema } from '../http/problem.js'
import { allowUpload } from '../http/slow-bodies.js'
import { Bodies } from '../openapi/documented-bodies.js'
import { uploadSource } from './upload-source.js'
import {
  batchResponse,
  batchId,
  batchPage,
  batchQuery,
  batchRequest,
  batchSubmitQuery,
  documentedBatch,
  resultFormat,
  type BatchResponse,
  type BatchQuery,
  type BatchRequest,
  type BatchSubmitQuery,
  type ResultFormat,
} from './batches.schemas.js'
import { BatchesService } from './batches.service.js'
import { MissingValues } from './cells.js'
import { acceptedTypes, openUpload, uploadTypes } from './upload-parsers.js'

/** Media types of the results; the first is the default. */
const resultTypes = [uploadTypes.ndjson, uploadTypes.csv]
/** An upload that sends nothing for this long is ended. */
const idleUploadMs = 60_000

@ApiTags('batches')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/batches')
export class BatchesController {
  constructor(
    private readonly batches: BatchesService,
    private readonly submitter: BatchSubmitter,
  ) {}

  @Post()
  @RequireRole('submitter')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Submit many people at once',
    description:
      'JSON, or an upload of up to 1,000,000 rows: CSV with a header of `user_id` and metrics, or NDJSON with ' +
      '`{"user_id": 1, "health_metrics": {...}}` on each line, as the body or as the file of a form, packed with gzip or ' +
      'not. A row that does not fit fails alone, with its line. A batch none of whose rows has a result ends as `failed`.',
  })
  @ApiConsumes('application/json', ...acceptedTypes)
  @ApiBody({ schema: documentedBatch })
  @Bodies({
    'application/json': documentedBatch,
    [uploadTypes.csv]: { type: 'string' },
    [uploadTypes.ndjson]: { type: 'string' },
    'multipart/form-data': {
      type: 'object',
      required: ['file'],
      properties: { file: { type: 'string', format: 'binary', description: 'CSV or NDJSON, packed with gzip or not' } },
    },
  })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'The same key and body make one batch' })
  @ApiHeader(preferHeader)
  @ApiResponse({ status: 202, description: 'Stored and queued', standardSchema: batchResponse })
  @ApiResponse({ status: 200, description: 'Finished in time', standardSchema: batchResponse })
  async submit(
    @Query({ schema: batchSubmitQuery }) query: BatchSubmitQuery,
    @Req() request: RequestWithPrincipal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BatchResponse> {
    const { headers, body, raw } = request
    const waitSeconds = waitSecondsOf(headers.prefer)
    const idempotencyKey = parseIdempotencyKey(headers['idempotency-key'])
    const missing = new MissingValues(query.missing_values)
    const principal = principalOf(request)
    const { id, userId: boundTo, traceparent } = principal
    const caller = { boundTo, submittedBy: id, scope: id, traceparent }
    const submission = { ...caller, model: query.model, idempotencyKey, waitSeconds }
    raw.setTimeout(idleUploadMs, () => raw.destroy())
    allowUpload(request)
    try {
      const { taskId } = await (body instanceof Readable
        ? this.submitter.submit(uploadSource(await openUpload(body, request), missing), submission)
        : this.submitter.submitPeople(toRequest(body), submission))
      const response = await this.batches.get(taskId, principal)
      respondToSubmission(reply, {
        location: `/v1/batches/${response.id}`,
        taskId: response.task_id,
        state: response.state,
        waitSeconds,
      })
      return response
    } finally {
      raw.setTimeout(0)
      // What is left of a refused upload is read and thrown away, so that its sender gets to see the response and the
      // connection can be used again. Nothing flows as long as someone waits for pieces.
      raw.unpipe()
      raw.removeAllListeners('readable')
      raw.resume()
    }
  }

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'List batches, newest first' })
  @ApiResponse({ status: 200, description: 'One page', standardSchema: batchPage })
  list(@Query({ schema: batchQuery }) query: BatchQuery, @CurrentPrincipal() principal: Principal) {
    return this.batches.list(query, principal)
  }

  @Get(':id')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A batch with its progress and its first errors' })
  @ApiResponse({ status: 200, description: 'The batch', standardSchema: batchResponse })
  get(@Param('id', { schema: batchId }) id: string, @CurrentPrincipal() principal: Principal) {
    return this.batches.get(id, principal)
  }

  @Get(':id/results')
  @RequireRole('viewer')
  @Produces(...resultTypes)
  @ApiOperation({
    summary: 'The outcome of each row, in the order of the input',
    description:
      'Streamed. While the batch runs, rows that have not ended are left out. Decision support, not diagnosis.',
  })
  @ApiResponse({
    status: 200,
    description: 'line, user_id, prediction_id, risk_score, risk_category, lower, upper, error of each row',
    content: Object.fromEntries(Object.values(uploadTypes).map((type) => [type, { schema: { type: 'string' } }])),
  })
  async results(
    @Param('id', { schema: batchId }) id: string,
    @Query({ schema: resultFormat }) query: { readonly format?: ResultFormat },
    @Headers('accept') accept: string | undefined,
    @CurrentPrincipal() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const format = query.format ?? (chooseType(accept, resultTypes) === uploadTypes.csv ? 'csv' : 'ndjson')
    const lines = await this.batches.results(id, format, principal)
    await reply.type(`${uploadTypes[format]}; charset=utf-8`).send(Readable.from(lines, { objectMode: false }))
  }

  @Delete(':id')
  @RequireRole('submitter')
  @ApiOperation({ summary: 'Cancel what is unfinished of a batch; stored results stay' })
  @ApiResponse({ status: 200, description: 'The batch', standardSchema: batchResponse })
  cancel(@Param('id', { schema: batchId }) id: string, @Req() request: RequestWithPrincipal): Promise<BatchResponse> {
    return this.batches.cancel(id, principalOf(request), request.id)
  }
}

const toRequest = (body: unknown): BatchRequest => {
  const parsed = batchRequest.safeParse(body)
  if (parsed.success) return parsed.data
  throw new MemoryGuardError('REQUEST_INVALID', 'The request does not fit its schema; see `errors`.', {
    faults: faultsOf(parsed.error.issues),
  })
}
