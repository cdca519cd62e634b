import type { LinkProps } from '@tanstack/react-router'
import type { Role } from '../session/session.tsx'
import type { IconName } from '../ui/icon.tsx'

/** A page that stands in the navigation. */
export interface NavigationItem {
  readonly to: NonNullable<LinkProps['to']>
  readonly label: string
  readonly icon: IconName
  /** The least role that the page is for. */
  readonly role: Role
  /** Whether callers whose key is bound to one person have it too. */
  readonly isForBound?: boolean
  /** The key after `g` that opens it. */
  readonly key?: string
}

export interface NavigationGroup {
  readonly title: string
  readonly items: readonly NavigationItem[]
}

export const navigation: readonly NavigationGroup[] = [
  {
    title: 'Clinic',
    items: [
      { to: '/predict', label: 'Predict', icon: 'predict', role: 'submitter', isForBound: true, key: 'p' },
      { to: '/people', label: 'People', icon: 'person', role: 'viewer', isForBound: true, key: 'u' },
    ],
  },
  {
    title: 'Operations',
    items: [
      { to: '/overview', label: 'Overview', icon: 'overview', role: 'viewer', key: 'o' },
      { to: '/tasks', label: 'Tasks', icon: 'tasks', role: 'viewer', key: 't' },
      { to: '/failures', label: 'Failures', icon: 'failures', role: 'viewer', key: 'f' },
      { to: '/queues', label: 'Queues', icon: 'queues', role: 'viewer', key: 'q' },
      { to: '/workers', label: 'Workers', icon: 'workers', role: 'viewer', key: 'w' },
      { to: '/plans', label: 'Plans', icon: 'plans', role: 'operator', key: 'l' },
    ],
  },
  {
    title: 'Data',
    items: [
      { to: '/batches', label: 'Batches', icon: 'batch', role: 'viewer', key: 'b' },
      { to: '/models', label: 'Models', icon: 'models', role: 'viewer', key: 'm' },
    ],
  },
  {
    title: 'Administration',
    items: [
      { to: '/schedules', label: 'Schedules', icon: 'schedules', role: 'viewer', key: 's' },
      { to: '/webhooks', label: 'Webhooks', icon: 'webhooks', role: 'operator', key: 'h' },
      { to: '/audit', label: 'Audit', icon: 'audit', role: 'admin', key: 'a' },
      { to: '/access', label: 'Access', icon: 'access', role: 'viewer', isForBound: true, key: 'k' },
    ],
  },
]
