import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { enum as oneOf, object } from 'zod/mini'
import { rootRoute } from '../../root-route.tsx'
import { orNothing, text } from '../../search.ts'

const personTabs = ['predictions', 'measurements', 'forecast'] as const

export const clinicRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/predict',
    // The person's number, from the page of a person; what was measured is never in an address.
    validateSearch: object({ model: text, person: text }),
    component: lazyRouteComponent(() => import('./predict/predict-page.tsx'), 'PredictPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/predictions/$id',
    validateSearch: object({ view: orNothing(oneOf(['patient'])) }),
    component: lazyRouteComponent(() => import('./result/result-page.tsx'), 'ResultPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/people',
    validateSearch: object({ cursor: text }),
    component: lazyRouteComponent(() => import('./people/people-page.tsx'), 'PeoplePage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/people/$userId',
    validateSearch: object({ tab: orNothing(oneOf(personTabs)), cursor: text }),
    component: lazyRouteComponent(() => import('./people/person-page.tsx'), 'PersonPage'),
  }),
] as const
