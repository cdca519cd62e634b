import { productVersion, type Config } from '#libs/platform'
import type { INestApplication } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { documentationPath, documentPath } from './http/documentation-paths.js'
import { PublicUrl } from './http/public-url.js'
import { completeDocument } from './openapi/complete-document.js'
import { keepDocuments } from './openapi/prepared-documents.js'

/** The OpenAPI 3.1 document of the routes. Complete only from the compiled build, which keeps decorator metadata. */
export const createOpenApiDocument = (app: INestApplication): OpenAPIObject =>
  completeDocument(
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
        .addServer('/')
        .addBearerAuth({
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, mg_..., or an access token of the OIDC issuer. Browsers may use a session instead.',
          bearerFormat: 'API key',
        })
        .build(),
      { operationIdFactory: (controller, method) => `${controller.replace('Controller', '')}_${method}` },
    ),
  )

/** Serves the document and Swagger UI. Their server is where the caller of each finds the API. */
export const serveOpenApi = (app: NestFastifyApplication, http: Config['http']): void => {
  const publicUrl = new PublicUrl(http)
  keepDocuments(app.getHttpAdapter().getInstance(), (request) => publicUrl.baseOf(request))
  SwaggerModule.setup(documentationPath, app, () => createOpenApiDocument(app), {
    jsonDocumentUrl: documentPath,
    raw: ['json'],
    swaggerOptions: { tryItOutEnabled: true, validatorUrl: null },
    patchDocumentOnRequest: (request: unknown, _response: unknown, document: OpenAPIObject) => ({
      ...document,
      servers: [{ url: publicUrl.baseOf(request as FastifyRequest) || '/' }],
    }),
    customSiteTitle: 'MemoryGuard API',
  })
}
