export { readOnnxModel } from './onnx-model.js'
export type { OnnxModel, OnnxNode, OnnxValue } from './onnx-model.js'
export type { OnnxElementType, OnnxTensor } from './onnx-tensor.js'
