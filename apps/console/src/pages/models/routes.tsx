import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { rootRoute } from '../../root-route.tsx'

export const modelRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/models',
    component: lazyRouteComponent(() => import('./models-page.tsx'), 'ModelsPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/models/$name/$version',
    component: lazyRouteComponent(() => import('./model-page.tsx'), 'ModelPage'),
  }),
] as const
