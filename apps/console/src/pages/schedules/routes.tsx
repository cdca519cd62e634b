import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { literal, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { orNothing, text } from '../../search.ts'

export const scheduleRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/schedules',
    validateSearch: object({ form: orNothing(literal('new')), cursor: text }),
    component: lazyRouteComponent(() => import('./schedules-page.tsx'), 'SchedulesPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/schedules/$name',
    validateSearch: object({ form: orNothing(literal('edit')) }),
    component: lazyRouteComponent(() => import('./schedule-page.tsx'), 'SchedulePage'),
  }),
] as const
