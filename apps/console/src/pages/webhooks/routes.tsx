import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { enum as oneOf, literal, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { orNothing, text } from '../../search.ts'

export const webhookRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/webhooks',
    validateSearch: object({ form: orNothing(literal('new')) }),
    component: lazyRouteComponent(() => import('./webhooks-page.tsx'), 'WebhooksPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/webhooks/$id',
    validateSearch: object({
      form: orNothing(literal('edit')),
      state: orNothing(oneOf(['pending', 'delivered', 'failed'])),
      cursor: text,
    }),
    component: lazyRouteComponent(() => import('./webhook-page.tsx'), 'WebhookPage'),
  }),
] as const
