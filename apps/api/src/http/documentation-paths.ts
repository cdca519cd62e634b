/** Path of Swagger UI, and of the OpenAPI document. */
export const documentationPath = '/docs'
export const documentPath = '/openapi.json'

/** Whether a path or a route's pattern belongs to the documentation, which is public. */
export const isDocumentation = (path: string): boolean => /^\/(?:docs|openapi\.json)(?:[/?#]|$)/.test(path)
