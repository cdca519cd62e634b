import { ModelStates } from '#libs/calls'
import { readFile } from 'node:fs/promises'
import { ModelActivationRepository, type Database, type ShadowDifferences } from '#libs/database'
import { ModelCatalogue, modelFilePath, referenceOf, type Manifest, type ModelFolder } from '#libs/ml/manifest'
import { MemoryGuardError } from '#libs/platform'
import { Injectable } from '@nestjs/common'
import { AuditTrail, type Caller } from '../access/audit-trail.js'
import { detailsOf, inputsOf } from './model-details.js'
import type { ActivationResponse, ModelResponse, ModelDetail, ModelPage, ShadowReport } from './models.schemas.js'

/** Lists the models and switches their versions. */
@Injectable()
export class ModelsService {
  constructor(
    private readonly catalogue: ModelCatalogue,
    private readonly states: ModelStates,
    private readonly activations: ModelActivationRepository,
    private readonly audit: AuditTrail,
  ) {}

  async list(): Promise<ModelPage> {
    await this.states.refresh()
    const items = this.catalogue.models.map(({ manifest }) => this.toResponse(manifest))
    return { items, unreadable: [...this.states.unreadable], next_cursor: null }
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async get(name: string, version: string): Promise<ModelDetail> {
    await this.states.refresh()
    const { manifest, path } = this.getModel(name, version)
    const found = await modelFilePath(path, 'card.md')
    const card = 'path' in found ? await readFile(found.path, 'utf8') : ''
    return { ...this.toResponse(manifest), ...detailsOf(manifest), card }
  }

  /**
   * Has a version serve where none is named. Tasks that were submitted before keep the version they were given.
   * @throws MemoryGuardError RESOURCE_NOT_FOUND, MODEL_STATE_CONFLICT if no worker has it ready.
   */
  async activate(name: string, version: string, caller: Caller): Promise<ActivationResponse> {
    await this.getReady(name, version)
    const previous = this.catalogue.activeVersionOf(name) ?? version
    await this.audit.change(
      caller,
      (database) => new ModelActivationRepository(database).activate(name, version, previous),
      () => ({ action: 'model.activate', target: `${name}@${version}`, details: { active: version, previous } }),
    )
    return this.changed(name)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND, MODEL_STATE_CONFLICT if no other version was active before. */
  async rollback(name: string, caller: Caller): Promise<ActivationResponse> {
    if (this.catalogue.versionsOf(name).length === 0) throw unknownModel()
    await this.states.refresh()
    const previous = this.states.activationOf(name)?.versions.at(-2)
    if (previous !== undefined) await this.getReady(name, previous)
    const rollback = async (database: Database) => {
      if (await new ModelActivationRepository(database).rollback(name)) return
      throw new MemoryGuardError('MODEL_STATE_CONFLICT', `No other version of ${name} was active before.`)
    }
    const details = { active: previous ?? null, previous: this.catalogue.activeVersionOf(name) ?? null }
    await this.audit.change(caller, rollback, () => ({ action: 'model.rollback', target: name, details }))
    return this.changed(name)
  }

  /**
   * Has a version run beside the active one; its results are compared and never returned.
   * @throws MemoryGuardError RESOURCE_NOT_FOUND, MODEL_STATE_CONFLICT if no worker has it ready or it is the active one.
   */
  async startShadow(name: string, version: string, caller: Caller): Promise<ActivationResponse> {
    await this.getReady(name, version)
    const active = this.catalogue.activeVersionOf(name) ?? null
    if (active === version) {
      const message = `${name}@${version} is the active version: only another one can run beside it.`
      throw new MemoryGuardError('MODEL_STATE_CONFLICT', message)
    }
    await this.audit.change(
      caller,
      (database) => new ModelActivationRepository(database).startShadow(name, version),
      () => ({ action: 'model.shadow', target: `${name}@${version}`, details: { active, shadow: version } }),
    )
    return this.changed(name)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async stopShadow(name: string, version: string, caller: Caller): Promise<ActivationResponse> {
    this.getModel(name, version)
    const active = this.catalogue.activeVersionOf(name) ?? null
    await this.audit.change(
      caller,
      (database) => new ModelActivationRepository(database).stopShadow(name, version),
      () => ({ action: 'model.stop_shadow', target: `${name}@${version}`, details: { active, shadow: null } }),
    )
    return this.changed(name)
  }

  /** @throws MemoryGuardError RESOURCE_NOT_FOUND */
  async getShadowReport(name: string, version: string): Promise<ShadowReport> {
    this.getModel(name, version)
    const differences = await this.activations.listShadowDifferences(`${name}@${version}`)
    const activation = this.states.activationOf(name)
    const isRunning = activation?.shadow === version
    return {
      name,
      version,
      is_running: isRunning,
      since: isRunning ? (activation.shadowSince?.toISOString() ?? null) : null,
      reports: differences.map(toReport),
    }
  }

  private async changed(name: string): Promise<ActivationResponse> {
    await this.states.refresh()
    const activation = this.states.activationOf(name)
    return {
      name,
      active: this.catalogue.activeVersionOf(name) ?? null,
      previous: activation?.versions.at(-2) ?? null,
      shadow: activation?.shadow ?? null,
      shadow_since: activation?.shadowSince?.toISOString() ?? null,
    }
  }

  private getModel(name: string, version: string): ModelFolder {
    const model = this.catalogue.find(`${name}@${version}`)
    if (model) return model
    throw unknownModel()
  }

  private async getReady(name: string, version: string): Promise<void> {
    await this.states.refresh()
    const reference = referenceOf(this.getModel(name, version).manifest)
    if (this.states.isReady(reference)) return
    const reports = this.states.reportsOf(reference)
    const said = reports.map(({ worker, state, reason }) => `${worker}: ${state}${reason ? ` (${reason})` : ''}`)
    throw new MemoryGuardError(
      'MODEL_STATE_CONFLICT',
      `No worker has ${reference} ready. ${said.join('; ') || 'No worker has reported it.'}`,
    )
  }

  private toResponse(manifest: Manifest): ModelResponse {
    const { name, version, kind, title, summary, disclaimer, metrics } = manifest
    const reports = this.states.reportsOf(`${name}@${version}`)
    const first = (['ready', 'loading', 'broken'] as const).find((state) =>
      reports.some((each) => each.state === state),
    )
    return {
      name,
      version,
      kind,
      title,
      summary,
      disclaimer,
      inputs: inputsOf(manifest),
      metrics,
      state: first ?? 'unknown',
      reason: first === 'broken' ? (reports.find(({ state }) => state === 'broken')?.reason ?? null) : null,
      is_active: this.catalogue.activeVersionOf(name) === version,
      is_default: this.catalogue.isDefault(manifest),
      is_shadow: this.states.activationOf(name)?.shadow === version,
      rollback_to: this.states.activationOf(name)?.versions.at(-2) ?? null,
      workers: [...reports],
    }
  }
}

const unknownModel = () => new MemoryGuardError('RESOURCE_NOT_FOUND', 'There is no such model.')

const toReport = (differences: ShadowDifferences): ShadowReport['reports'][number] => {
  const { served, compared, failed, skipped, sumDifference, sumAbsolute, maxAbsolute } = differences
  return {
    served,
    count: compared,
    failed,
    skipped,
    mean_difference: compared > 0 ? sumDifference / compared : null,
    mean_absolute_difference: compared > 0 ? sumAbsolute / compared : null,
    max_absolute_difference: compared > 0 ? maxAbsolute : null,
    category_changes: Object.entries(differences.categoryChanges).map(([change, count]) => {
      const [from = '', to = ''] = change.split('>')
      return { from, to, count }
    }),
  }
}
