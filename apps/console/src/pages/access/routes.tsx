import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { enum as oneOf, literal, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { orNothing } from '../../search.ts'
import { accessTabs } from './tabs.ts'

export const accessRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/access',
    validateSearch: object({
      tab: orNothing(oneOf(accessTabs)),
      form: orNothing(literal('new')),
      all: orNothing(literal('yes')),
    }),
    component: lazyRouteComponent(() => import('./access-page.tsx'), 'AccessPage'),
  }),
] as const
