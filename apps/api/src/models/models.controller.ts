import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelCatalogue, type Manifest } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { Controller, Get, Param } from '@nestjs/common'
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger'
import { z } from 'zod'
import { RequireRole } from '../access/access.js'
import { problemSchema } from '../http/problem.js'

const input = z.strictObject({
  name: z.string(),
  title: z.string(),
  unit: z.string(),
  min: z.number(),
  max: z.number(),
  required: z.boolean(),
})

const modelAnswer = z
  .strictObject({
    name: z.string(),
    version: z.string(),
    kind: z.enum(['risk', 'forecast']),
    title: z.string(),
    summary: z.string(),
    disclaimer: z.string(),
    inputs: z.array(input),
    metrics: z.record(z.string(), z.number()),
  })
  .meta({ id: 'Model' })

type ModelAnswer = z.infer<typeof modelAnswer>

const modelPage = z.strictObject({ items: z.array(modelAnswer), next_cursor: z.null() }).meta({ id: 'ModelPage' })

const modelDetail = modelAnswer
  .extend({
    limits: z.array(z.string()),
    terms: z.string(),
    acknowledgement: z.string(),
    files: z.record(z.string(), z.string()).describe('sha256 of every file'),
    card: z.string().describe('The model card, Markdown'),
  })
  .meta({ id: 'ModelDetail' })

type ModelDetail = z.infer<typeof modelDetail>

const namePart = z.string().max(64)

@ApiTags('models')
@ApiBearerAuth()
@ApiResponse({ status: '4XX', description: 'What is wrong, and what would be accepted', standardSchema: problemSchema })
@Controller('v1/models')
export class ModelsController {
  constructor(private readonly catalogue: ModelCatalogue) {}

  @Get()
  @RequireRole('viewer')
  @ApiOperation({ summary: 'The models there are' })
  @ApiResponse({ status: 200, description: 'Every model', standardSchema: modelPage })
  list(): { items: ModelAnswer[]; next_cursor: null } {
    return { items: this.catalogue.models.map(({ manifest }) => toAnswer(manifest)), next_cursor: null }
  }

  @Get(':name/:version')
  @RequireRole('viewer')
  @ApiOperation({ summary: 'A model with its card' })
  @ApiResponse({ status: 200, description: 'The model', standardSchema: modelDetail })
  async get(
    @Param('name', { schema: namePart }) name: string,
    @Param('version', { schema: namePart }) version: string,
  ): Promise<ModelDetail> {
    const model = this.catalogue.find(`${name}@${version}`)
    if (!model) throw new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such model.')
    const { limits, terms, acknowledgement, files } = model.manifest
    const card = 'card.md' in files ? await readFile(join(model.path, 'card.md'), 'utf8') : ''
    return { ...toAnswer(model.manifest), limits, terms, acknowledgement, files, card }
  }
}

const toAnswer = ({ name, version, kind, title, summary, disclaimer, inputs, metrics }: Manifest): ModelAnswer => ({
  name,
  version,
  kind,
  title,
  summary,
  disclaimer,
  inputs: inputs.map(({ name: metric, title: label, unit, min, max, required }) => ({
    name: metric,
    title: label,
    unit,
    min,
    max,
    required,
  })),
  metrics,
})
