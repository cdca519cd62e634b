import { ApiExtension } from '@nestjs/swagger'
import { isObject } from './repair-schemas.js'

type Part = Record<string, unknown>

const optionalExtension = 'x-optional-body'
const bodiesExtension = 'x-bodies'

/** The route may be called without a body; the generator takes each for required. */
export const OptionalBody = () => ApiExtension(optionalExtension, true)

/** The schema of the body by its media type; the generator gives all the same one. */
export const Bodies = (schemas: Readonly<Record<string, object>>) => ApiExtension(bodiesExtension, schemas)

/** An operation whose body is as `OptionalBody` and `Bodies` say. */
export const withDocumentedBody = (operation: Part): Part => {
  const { [optionalExtension]: isOptional, [bodiesExtension]: schemas, requestBody, ...rest } = operation
  if (!isObject(requestBody)) return rest
  const content = isObject(schemas)
    ? Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema }]))
    : requestBody['content']
  return { ...rest, requestBody: { ...requestBody, content, required: isOptional !== true } }
}
