import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { enum as oneOf, literal, object, string, uuid } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { instant, orNothing, text } from '../../search.ts'
import { failureRanges, ranges } from '../overview/ranges.ts'
import { workerTabs } from './workers/worker-tabs.ts'

const cursor = orNothing(string())
const getParentRoute = () => rootRoute

export const operationsRoutes = [
  createRoute({
    getParentRoute,
    path: '/tasks',
    validateSearch: object({ q: text, cursor, open: orNothing(literal('send')) }),
    component: lazyRouteComponent(() => import('./tasks/tasks-page.tsx'), 'TasksPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/tasks/$id',
    // Parts that are folded until somebody opens them.
    validateSearch: object({
      all: orNothing(oneOf(['attempts', 'children', 'timeline'])),
      result: orNothing(literal('shown')),
    }),
    component: lazyRouteComponent(() => import('./task/task-page.tsx'), 'TaskPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/failures',
    validateSearch: object({ q: text, since: orNothing(oneOf(failureRanges)) }),
    component: lazyRouteComponent(() => import('./failures/failures-page.tsx'), 'FailuresPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/plans',
    validateSearch: object({ cursor: orNothing(uuid()) }),
    component: lazyRouteComponent(() => import('./plans/plans-page.tsx'), 'PlansPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/plans/$id',
    component: lazyRouteComponent(() => import('./plans/plan-page.tsx'), 'PlanPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/queues',
    component: lazyRouteComponent(() => import('./queues/queues-page.tsx'), 'QueuesPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/queues/$name',
    validateSearch: object({
      range: orNothing(oneOf(ranges)),
      from: instant,
      to: instant,
      states: orNothing(oneOf(['unfinished', 'failed'])),
      cursor,
    }),
    component: lazyRouteComponent(() => import('./queues/queue-page.tsx'), 'QueuePage'),
  }),
  createRoute({
    getParentRoute,
    path: '/workers',
    component: lazyRouteComponent(() => import('./workers/workers-page.tsx'), 'WorkersPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/workers/$name',
    validateSearch: object({ tab: orNothing(oneOf(workerTabs)) }),
    component: lazyRouteComponent(() => import('./workers/worker-page.tsx'), 'WorkerPage'),
  }),
] as const
