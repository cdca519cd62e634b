import type { ModelInput } from './manifest.schema.js'

/** Which values a metric may have; an input of a model has a narrower range of its own. */
export type MetricRange = Pick<ModelInput, 'unit' | 'min' | 'max'> &
  Partial<Pick<ModelInput, 'integer' | 'words' | 'description' | 'unit_hints'>>

/**
 * Health metrics that callers commonly hold. One that the chosen model does not use is stored, and named in the
 * response's warnings; a name that is neither here nor in a manifest is rejected as a typing error. The ranges are
 * those of the instruments, or generous physical bounds.
 */
export const knownMetrics: Readonly<Record<string, MetricRange>> = {
  age: { unit: 'years', min: 18, max: 120, unit_hints: [{ min: 216, max: 1440, unit: 'months' }] },
  sex: { unit: '0 female, 1 male', min: 0, max: 1, words: { female: 0, male: 1 } },
  education_years: { unit: 'years', min: 0, max: 30 },
  mmse_score: { unit: 'points', min: 0, max: 30 },
  moca_score: { unit: 'points', min: 0, max: 30 },
  cdr: { unit: 'points', min: 0, max: 3 },
  cdr_sob: { unit: 'points', min: 0, max: 18 },
  adas_cog: { unit: 'points', min: 0, max: 85 },
  faq: { unit: 'points', min: 0, max: 30 },
  apoe_e4: { unit: 'number of e4 alleles', min: 0, max: 2 },
  csf_abeta42: { unit: 'pg/mL', min: 0, max: 5000 },
  csf_tau: { unit: 'pg/mL', min: 0, max: 5000 },
  csf_ptau: { unit: 'pg/mL', min: 0, max: 1000 },
  hippocampal_volume: {
    unit: 'mm3',
    min: 500,
    max: 15_000,
    unit_hints: [{ min: 0.5, max: 15, unit: 'cm3' }],
  },
  systolic_bp: { unit: 'mmHg', min: 50, max: 300, unit_hints: [{ min: 6, max: 40, unit: 'kPa' }] },
  diastolic_bp: { unit: 'mmHg', min: 20, max: 200 },
  bmi: { unit: 'kg/m2', min: 8, max: 100 },
  total_cholesterol: { unit: 'mmol/L', min: 1, max: 20, unit_hints: [{ min: 40, max: 770, unit: 'mg/dL' }] },
  glucose: { unit: 'mmol/L', min: 1, max: 60, unit_hints: [{ min: 61, max: 1080, unit: 'mg/dL' }] },
}
