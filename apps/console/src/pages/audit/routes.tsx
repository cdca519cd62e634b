import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { object, regex, string, uuid } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { instant, orNothing, text } from '../../search.ts'

export const auditRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/audit',
    validateSearch: object({
      action: text,
      target: text,
      key: orNothing(uuid()),
      from: instant,
      to: instant,
      cursor: text,
      entry: orNothing(string().check(regex(/^\d{1,15}$/))),
    }),
    component: lazyRouteComponent(() => import('./audit-page.tsx'), 'AuditPage'),
  }),
] as const
