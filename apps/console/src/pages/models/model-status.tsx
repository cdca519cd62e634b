import type { Schemas } from '../../api/client.ts'
import { plainWords } from '../../format/words.ts'
import { Status, type Tone } from '../../ui/status.tsx'

type Model = Schemas['Model']

const toneOf: Record<Model['state'], Tone> = { ready: 'ok', loading: 'info', broken: 'bad', unknown: 'idle' }

/** Whether workers can compute with a model. */
export const ModelStatus = ({ state }: { readonly state: Model['state'] }) => (
  <Status tone={toneOf[state]}>{state === 'unknown' ? 'on no worker' : state}</Status>
)

/** What a version is used for. */
export const ModelUse = ({ is_active: isActive, is_shadow: isShadow }: Pick<Model, 'is_active' | 'is_shadow'>) => {
  if (isActive) return <Status tone="ok">active</Status>
  return isShadow ? <Status tone="info">shadow</Status> : <span className="mg-hidden">not in use</span>
}

/** Words of a figure of quality: `calibration_slope_3y` is `calibration slope 3y`. */
export const wordsOfMetric = (name: string): string =>
  plainWords(name).replace(/\b(auc|crps|mae|mmse)\b/g, (word) => word.toUpperCase())
