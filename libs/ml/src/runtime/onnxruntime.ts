import { createRequire } from 'node:module'

/**
 * onnxruntime without telemetry. The native library reads this variable once, when it is loaded; without it, it queues
 * events for its maker, with error messages that may hold values of a person. So nothing else imports the package, and
 * it is required here after the variable is set: an import would be hoisted above that.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1'

const onnxruntime = createRequire(import.meta.url)('onnxruntime-node') as typeof import('onnxruntime-node')

export type { InferenceSession } from 'onnxruntime-node'
export const { InferenceSession: OnnxSession, Tensor: OnnxTensor } = onnxruntime
