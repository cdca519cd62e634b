import type { Manifest, RiskManifest } from '#libs/ml/manifest'
import type { ModelDetail, ModelResponse } from './models.schemas.js'

/** What a manifest says of the inputs. */
export const inputsOf = (manifest: Manifest): ModelResponse['inputs'] => {
  const imputed = manifest.kind === 'risk' && manifest.missing.rule === 'impute' ? manifest.missing.values : {}
  return manifest.inputs.map(({ words, typical, ...input }) => ({
    ...input,
    words: words ?? null,
    typical: typical ?? null,
    imputed: imputed[input.name] ?? null,
  }))
}

type Details = Omit<ModelDetail, keyof ModelResponse | 'card'>

/** What a manifest says beyond the list of models. */
export const detailsOf = (manifest: Manifest): Details => {
  const { limits, terms, acknowledgement, files } = manifest
  return { ...kindDetailsOf(manifest), evidence: evidenceOf(manifest), limits, terms, acknowledgement, files }
}

type KindDetails = Omit<Details, 'evidence' | 'limits' | 'terms' | 'acknowledgement' | 'files'>

const kindDetailsOf = (manifest: Manifest): KindDetails =>
  manifest.kind === 'risk'
    ? riskDetailsOf(manifest)
    : {
        outputs: [],
        primary_output: null,
        categories: [],
        categories_origin: null,
        interval: null,
        calibration_method: null,
        missing_rule: null,
        forecast: { metric: manifest.metric, horizons_months: manifest.horizons_months },
      }

const riskDetailsOf = (manifest: RiskManifest): KindDetails => ({
  outputs: manifest.outputs.map(({ name, title, horizon_years, lower, upper }) => ({
    name,
    title,
    horizon_years,
    has_interval: lower !== undefined && upper !== undefined,
  })),
  primary_output: manifest.primary_output,
  categories: manifest.categories.map(({ name, below }, index, all) => ({
    name,
    from: all[index - 1]?.below ?? 0,
    below: below ?? null,
  })),
  categories_origin: manifest.categories_origin ?? null,
  interval: manifest.interval,
  calibration_method: manifest.calibration?.method ?? null,
  missing_rule: manifest.missing.rule,
  forecast: null,
})

const evidenceOf = ({ evidence }: Manifest): ModelDetail['evidence'] =>
  evidence && {
    ...evidence,
    calibration: evidence.calibration.map(({ title, output, points }) => ({ title, output: output ?? null, points })),
    importance: evidence.importance && {
      measure: evidence.importance.measure,
      values: Object.entries(evidence.importance.values)
        .map(([input, value]) => ({ input, value }))
        .toSorted((first, second) => Math.abs(second.value) - Math.abs(first.value)),
    },
  }
