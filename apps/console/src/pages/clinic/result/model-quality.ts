import type { Schemas } from '../../../api/client.ts'

type ModelDetail = Schemas['ModelDetail']

/** A figure of a model's quality for its primary output, by the names that manifests use for it. */
const figureOf = ({ metrics, outputs, primary_output: primary }: ModelDetail, name: string): number | undefined => {
  const horizon = outputs.find((output) => output.name === primary)?.horizon_years
  const names = [
    ...(horizon === null || horizon === undefined ? [] : [`${name}_${horizon}y`]),
    name,
    `published_${name}`,
  ]
  return names.map((each) => metrics[each]).find((value) => value !== undefined)
}

/** AUC of the primary output in words; undefined if the model states none. */
export const aucWords = (model: ModelDetail): string | undefined => {
  const auc = figureOf(model, 'auc')
  if (auc === undefined) return undefined
  const pairs = Math.round(auc * 100)
  return `AUC ${auc.toFixed(2)}: of two people, one with the outcome and one without, the model gives the higher estimate to the one with it in about ${pairs} of 100 pairs; 50 would be guessing.`
}

/** Slope of calibration in words; undefined if the model states none. */
export const slopeWords = (model: ModelDetail): string | undefined => {
  const slope = figureOf(model, 'calibration_slope')
  return slope === undefined ? undefined : `Calibration slope ${slope.toFixed(2)}; 1 would be right on average.`
}

/** How the tested cases with an estimate near this one turned out; undefined if that was not measured. */
export const calibrationWords = (
  { evidence, primary_output: primary }: ModelDetail,
  risk: number,
): string | undefined => {
  const groups = evidence?.calibration.find(({ output }) => output === primary)?.points ?? []
  const nearest = groups.toSorted(
    (left, right) => Math.abs(left.predicted - risk) - Math.abs(right.predicted - risk),
  )[0]
  if (!nearest) return undefined
  const observed = Math.round(nearest.observed * nearest.count)
  const predicted = Math.round(nearest.predicted * nearest.count)
  return `Where it was tested, the model expected the outcome in ${predicted} of the ${nearest.count} cases with the nearest estimates, and it was there in ${observed}.`
}
