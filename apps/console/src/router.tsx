import { createRouter } from '@tanstack/react-router'
import { basePath } from './api/client.ts'
import { accessRoutes } from './pages/access/routes.tsx'
import { auditRoutes } from './pages/audit/routes.tsx'
import { batchRoutes } from './pages/batches/routes.tsx'
import { clinicRoutes } from './pages/clinic/routes.tsx'
import { homeRoutes } from './pages/home/routes.tsx'
import { modelRoutes } from './pages/models/routes.tsx'
import { operationsRoutes } from './pages/operations/routes.tsx'
import { scheduleRoutes } from './pages/schedules/routes.tsx'
import { webhookRoutes } from './pages/webhooks/routes.tsx'
import { rootRoute, type RouteContext } from './root-route.tsx'
import { PageLoading } from './ui/loading.tsx'
import { CrashPage } from './shell/error-pages.tsx'

/** Search parameters stand in the address as they are typed: `?q=state:failed`, never as JSON. */
const parseSearch = (search: string): Record<string, string> => Object.fromEntries(new URLSearchParams(search))

const stringifySearch = (search: Record<string, unknown>): string => {
  const entries = Object.entries(search).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString()
  return text && `?${text}`
}

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    ...homeRoutes,
    ...operationsRoutes,
    ...clinicRoutes,
    ...batchRoutes,
    ...modelRoutes,
    ...scheduleRoutes,
    ...webhookRoutes,
    ...auditRoutes,
    ...accessRoutes,
  ]),
  // The session gives it before anything is shown.
  context: undefined as unknown as RouteContext,
  basepath: basePath || '/',
  parseSearch,
  stringifySearch,
  scrollRestoration: true,
  defaultPreload: 'intent',
  defaultPendingComponent: PageLoading,
  defaultErrorComponent: CrashPage,
})

declare module '@tanstack/react-router' {
  interface Register {
    readonly router: typeof router
  }
}
