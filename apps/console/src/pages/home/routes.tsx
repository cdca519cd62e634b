import { createRoute, lazyRouteComponent, redirect, type NavigateOptions } from '@tanstack/react-router'
import { enum as oneOf, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import type { Me } from '../../session/session.tsx'
import { instant, orNothing, text } from '../../search.ts'
import { wasWelcomed } from './welcomed.ts'
import { queueNames, ranges } from '../overview/ranges.ts'

/** Where somebody begins: at what they came for. */
const homeOf = (me: Me, isFirstVisit: boolean): NavigateOptions => {
  if (me.user_id !== null) return { to: '/people/$userId', params: { userId: String(me.user_id) } }
  if (isFirstVisit && !wasWelcomed()) return { to: '/welcome' }
  return { to: me.role === 'submitter' ? '/predict' : '/overview' }
}

export const homeRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/',
    beforeLoad: ({ context: { me, isFirstVisit } }) => {
      throw redirect({ ...homeOf(me, isFirstVisit), replace: true })
    },
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/welcome',
    component: lazyRouteComponent(() => import('./welcome-page.tsx'), 'WelcomePage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/overview',
    validateSearch: object({
      range: orNothing(oneOf(ranges)),
      // Both, for a part that was chosen in a chart.
      from: instant,
      to: instant,
      queue: orNothing(oneOf(queueNames)),
      name: text,
    }),
    component: lazyRouteComponent(() => import('../overview/overview-page.tsx'), 'OverviewPage'),
  }),
] as const
