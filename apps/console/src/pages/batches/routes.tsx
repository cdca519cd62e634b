import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { literal, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { orNothing, text } from '../../search.ts'

export const batchRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/batches',
    validateSearch: object({ cursor: text }),
    component: lazyRouteComponent(() => import('./batches-page.tsx'), 'BatchesPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/batches/new',
    component: lazyRouteComponent(() => import('./new-batch-page.tsx'), 'NewBatchPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/batches/$id',
    validateSearch: object({ errors: orNothing(literal('all')) }),
    component: lazyRouteComponent(() => import('./batch-page.tsx'), 'BatchPage'),
  }),
] as const
