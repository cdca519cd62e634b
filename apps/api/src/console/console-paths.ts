/** First parts of the addresses of the console's pages. The console reads the rest of an address itself. */
export const consolePages = [
  'overview',
  'welcome',
  'predict',
  'predictions',
  'people',
  'batches',
  'tasks',
  'failures',
  'plans',
  'queues',
  'workers',
  'models',
  'schedules',
  'webhooks',
  'audit',
  'access',
] as const

/** Files of the console beside its page. */
const files = ['assets/*', 'icon.svg', 'color-scheme.js'] as const

/** Patterns of the routes of the console. */
export const pageRoutes: readonly string[] = ['/', ...consolePages.flatMap((page) => [`/${page}`, `/${page}/*`])]
export const fileRoutes: readonly string[] = files.map((file) => `/${file}`)

const routes: ReadonlySet<string> = new Set([...pageRoutes, ...fileRoutes])

/** Whether a route belongs to the console, which is public: what it shows comes from the API. */
export const isConsole = (pattern: string): boolean => routes.has(pattern)
