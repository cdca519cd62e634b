import { checkMetrics, referenceOf, type ModelCatalogue, type RiskManifest } from '#libs/ml/manifest'
import type { CheckedPrediction } from '#libs/tasks'

/**
 * Chooses the model of a prediction and checks the metrics against it.
 * @throws MemoryGuardError MODEL_UNKNOWN, MODEL_INPUT_INVALID
 */
export const checkPrediction = (
  catalogue: ModelCatalogue,
  given: Readonly<Record<string, number | string>>,
  reference: string | undefined,
): CheckedPrediction & { readonly manifest: RiskManifest } => {
  const { manifest } = catalogue.getRiskModel(reference)
  const { metrics, warnings } = checkMetrics(manifest, catalogue, given)
  return { manifest, model: referenceOf(manifest), healthMetrics: metrics, warnings }
}
