import { api, query, type Schemas } from '../../../api/client.ts'
import type { ModelInput } from '../inputs.ts'

/** What the models say of a metric; the same name means the same in all of them. */
export const useMetrics = (): readonly ModelInput[] => {
  const models = query.useQuery('get', '/v1/models', {}, { staleTime: 60_000 })
  const found = new Map<string, ModelInput>()
  // What is forecast is measured most often: it stands first.
  const sorted = models.data?.items.toSorted((left) => (left.kind === 'forecast' ? -1 : 1)) ?? []
  for (const input of sorted.flatMap(({ inputs }) => inputs)) {
    // The widest range is what the API accepts of a measurement.
    const known = found.get(input.name)
    const range = known && { min: Math.min(known.min, input.min), max: Math.max(known.max, input.max) }
    found.set(input.name, {
      ...(known ?? input),
      ...range,
      words: known?.words ?? input.words,
      required: false,
      typical: null,
    })
  }
  return [...found.values()]
}

/** Removes a measurement; forecasts that were made from it stay as they are. */
export const deleteMeasurement = ({ user_id: userId, id }: Pick<Schemas['Measurement'], 'user_id' | 'id'>) =>
  api.DELETE('/v1/users/{user_id}/health-metrics/{id}', { params: { path: { user_id: userId, id } } })

/** Records what was measured at a time. */
export const recordMeasurement = async (
  userId: number,
  at: string,
  metrics: Schemas['Measurement']['health_metrics'],
): Promise<Schemas['Measurement'] | undefined> => {
  const { data } = await api.POST('/v1/users/{user_id}/health-metrics', {
    params: { path: { user_id: userId } },
    body: { recorded_at: at, health_metrics: metrics },
  })
  return data
}
