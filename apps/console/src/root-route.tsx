import { createRootRouteWithContext } from '@tanstack/react-router'
import type { Me } from './session/session.tsx'
import { CrashPage, NotFoundPage } from './shell/error-pages.tsx'
import { Shell } from './shell/shell.tsx'

/** What every route knows. */
export interface RouteContext {
  readonly me: Me
  /** Whether a one-time link opened this page: its owner sees the console for the first time. */
  readonly isFirstVisit: boolean
}

/** The frame around every page. */
export const rootRoute = createRootRouteWithContext<RouteContext>()({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: CrashPage,
})
