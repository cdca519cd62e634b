import { productVersion } from '#libs/platform'
import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'

/** The OpenAPI 3.1 document of the routes. Complete only from the compiled build, which keeps decorator metadata. */
export const createOpenApiDocument = (app: INestApplication): OpenAPIObject =>
  SwaggerModule.createDocument(
    app,
    new DocumentBuilder()
      .setOpenAPIVersion('3.1.0')
      .setTitle('MemoryGuard')
      .setDescription(
        'Asynchronous predictions of cognitive impairment. Decision support, not diagnosis. ' +
          'Submit health metrics, get 202 at once, and read, wait for or stream the result.',
      )
      .setVersion(productVersion)
      .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key: mg_...' })
      .build(),
    { operationIdFactory: (controller, method) => `${controller.replace('Controller', '')}_${method}` },
  )

/** Serves the document at /openapi.json and Swagger UI at /docs. */
export const serveOpenApi = (app: INestApplication): void => {
  SwaggerModule.setup('docs', app, () => createOpenApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    swaggerOptions: { persistAuthorization: true, tryItOutEnabled: true },
    customSiteTitle: 'MemoryGuard API',
  })
}
