type Part = Record<string, unknown>

export const isObject = (value: unknown): value is Part =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Puts the schemas of a document into the form of OpenAPI 3.1: bounds are numbers, ids are integers, and what a schema
 * defines for itself stands among the components.
 */
export const repairSchemas = (document: object): Part => {
  const hoisted: Part = {}
  const repaired = repair(document, hoisted) as Part
  const components = repaired['components'] as Part
  return { ...repaired, components: { ...components, schemas: { ...hoisted, ...(components['schemas'] as Part) } } }
}

const repair = (value: unknown, hoisted: Part): unknown => {
  if (Array.isArray(value)) return value.map((each) => repair(each, hoisted))
  if (!isObject(value)) return value
  const { $defs, $schema: _, ...rest } = value
  if (isObject($defs)) {
    for (const [name, schema] of Object.entries($defs)) hoisted[name] = repair(withoutId(schema), hoisted)
  }
  const entries = Object.entries(withBounds(asParameter(rest))).map(([key, each]) => [
    key,
    key === '$ref' && typeof each === 'string'
      ? each.replace('#/$defs/', '#/components/schemas/')
      : repair(each, hoisted),
  ])
  return Object.fromEntries(entries) as Part
}

const withoutId = (schema: unknown): unknown => {
  if (!isObject(schema)) return schema
  const { id: _, $id: __, ...rest } = schema
  return rest
}

/** `minimum: 0, exclusiveMinimum: true` was how OpenAPI 3.0 said what is now `exclusiveMinimum: 0`. */
const withBounds = (schema: Part): Part => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, ...rest } = schema
  return {
    ...rest,
    ...bound('minimum', 'exclusiveMinimum', minimum, exclusiveMinimum),
    ...bound('maximum', 'exclusiveMaximum', maximum, exclusiveMaximum),
  }
}

const bound = (name: string, exclusiveName: string, value: unknown, exclusive: unknown): Part => {
  if (exclusive === true) return { [exclusiveName]: value }
  return {
    ...(value !== undefined && { [name]: value }),
    ...(exclusive !== undefined && exclusive !== false && { [exclusiveName]: exclusive }),
  }
}

/**
 * Numbers in paths and those named as ids are positive integers; the generator only knows that they are numbers. No
 * parameter may be empty.
 */
const asParameter = (part: Part): Part => {
  const { name, in: place, schema } = part
  if (typeof name !== 'string' || !isObject(schema)) return part
  if ((place === 'query' || place === 'path') && schema['type'] === 'string') {
    return { ...part, schema: { minLength: 1, ...schema } }
  }
  if (schema['type'] !== 'number') return part
  if (place !== 'path' && !/(^|_)id$/.test(name)) return part
  return { ...part, schema: { ...schema, type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } }
}
