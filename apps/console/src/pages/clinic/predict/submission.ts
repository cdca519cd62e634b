import { api, type Schemas } from '../../../api/client.ts'
import { newIdempotencyKey } from '../../../api/idempotency-key.ts'

type PredictionRequest = Schemas['PredictionRequest']

/** Seconds that a submission waits for its result. */
const waitSeconds = 20

/**
 * Submits predictions so that the same one is never made twice: a second click, or another try after the connection was
 * lost, carries the key of the first.
 */
export const createSubmitter = () => {
  let last: { readonly body: string; readonly key: string } | undefined
  return async (request: PredictionRequest): Promise<Schemas['Prediction']> => {
    const body = JSON.stringify(request)
    if (last?.body !== body) last = { body, key: newIdempotencyKey() }
    const { data } = await api.POST('/v1/predictions', {
      params: { header: { Prefer: `wait=${waitSeconds}`, 'Idempotency-Key': last.key } },
      body: request,
    })
    if (!data) throw new Error('A submission had no response')
    return data
  }
}
