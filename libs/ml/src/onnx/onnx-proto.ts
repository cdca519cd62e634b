import {
  bytes,
  count,
  doubles,
  float,
  floats,
  int,
  ints,
  message,
  messageOf,
  messages,
  optionalInt,
  text,
  texts,
} from './protobuf-message.js'

/*
 * The part of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto that inference and explanation of tabular models
 * need, with its names and numbers.
 */

const tensorProto = messageOf({
  dims: ints(1),
  data_type: int(2),
  float_data: floats(4),
  int32_data: ints(5),
  string_data: count(6),
  int64_data: ints(7),
  name: text(8),
  raw_data: bytes(9),
  double_data: doubles(10),
  uint64_data: ints(11),
  data_location: int(14),
})

const attributeProto = messageOf({
  name: text(1),
  f: float(2),
  i: int(3),
  s: text(4),
  t: message(5, tensorProto),
  floats: floats(7),
  ints: ints(8),
  strings: texts(9),
  type: int(20),
})

const nodeProto = messageOf({
  input: texts(1),
  output: texts(2),
  name: text(3),
  op_type: text(4),
  attribute: messages(5, attributeProto),
  domain: text(7),
})

const dimension = messageOf({ dim_value: optionalInt(1) })
const tensorType = messageOf({ elem_type: int(1), shape: message(2, messageOf({ dim: messages(1, dimension) })) })
const typeProto = messageOf({ tensor_type: message(1, tensorType), sequence_type: count(4), map_type: count(5) })
const valueInfoProto = messageOf({ name: text(1), type: message(2, typeProto) })

const graphProto = messageOf({
  node: messages(1, nodeProto),
  initializer: messages(5, tensorProto),
  input: messages(11, valueInfoProto),
  output: messages(12, valueInfoProto),
  sparse_initializer: count(15),
})

export const modelProto = messageOf({
  ir_version: int(1),
  graph: message(7, graphProto),
  opset_import: messages(8, messageOf({ domain: text(1), version: int(2) })),
})

export type TensorProto = ReturnType<typeof tensorProto>
export type AttributeProto = ReturnType<typeof attributeProto>
export type NodeProto = ReturnType<typeof nodeProto>
export type ValueInfoProto = ReturnType<typeof valueInfoProto>
export type GraphProto = ReturnType<typeof graphProto>
