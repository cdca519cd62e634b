import { Command } from 'commander'
import { cell } from '../output.js'
import { group, path, sends } from './api-command.js'

interface CreateFlags {
  readonly events?: string
  readonly tasks?: string
  readonly description?: string
}

interface WebhookRow {
  readonly id: string
  readonly url: string
  readonly events: readonly string[]
  readonly is_active: boolean
  readonly disabled_reason: string | null
}

interface DeliveryRow {
  readonly id: string
  readonly event: string
  readonly task_id: string | null
  readonly state: string
  readonly attempts: number
  readonly error: string | null
  readonly created_at: string
}

const webhookLine = ({ id, url, events, is_active: isActive, disabled_reason: reason }: WebhookRow): string =>
  [id, isActive ? 'on ' : 'off', cell(url), events.join(','), ...(reason ? [reason] : [])].join('  ')

const deliveryLine = ({ created_at: at, state, event, task_id: task, attempts, error }: DeliveryRow): string =>
  [at, state.padEnd(9), event, task ?? '-', `attempts ${attempts}`, error ?? ''].join('  ').trimEnd()

const ofWebhook = (name: string, description: string): Command =>
  new Command(name).description(description).argument('<id>', 'id of the webhook')

/** `memoryguard webhooks`: which URLs are notified of the ends of tasks. */
export const webhooksCommand = (): Command =>
  group('webhooks', 'notify URLs when tasks finish', [
    sends(
      new Command('create')
        .description('make a webhook; its secret is shown once')
        .argument('<url>', 'where messages are posted to')
        .option('--events <events>', 'such as task.failed, separated by commas (default: all)')
        .option('--tasks <names>', 'only of these tasks, separated by commas')
        .option('--description <text>', 'what it is for'),
      {
        request: ([url]: [string], { events, tasks, description }: CreateFlags) => ({
          method: 'POST',
          path: '/v1/webhooks',
          body: { url, description, events: events?.split(','), tasks: tasks?.split(',') },
        }),
        show: ({ id, secret }: { readonly id: string; readonly secret: string }) => [
          secret,
          `Its id is ${id}. Keep the secret now: it is not shown again.`,
        ],
      },
    ),
    sends(new Command('list').description('list the webhooks, without their secrets'), {
      request: () => ({ path: '/v1/webhooks' }),
      show: ({ items }: { readonly items: readonly WebhookRow[] }) => items.map(webhookLine),
    }),
    sends(ofWebhook('deliveries', 'show the last deliveries, newest first'), {
      request: ([id]: [string]) => ({ path: path`/v1/webhooks/${id}/deliveries` }),
      show: ({ items }: { readonly items: readonly DeliveryRow[] }) => items.map(deliveryLine),
    }),
    sends(ofWebhook('test', 'send a test message'), {
      request: ([id]: [string]) => ({ method: 'POST', path: path`/v1/webhooks/${id}/test` }),
      show: (_, [id]) => [`It is sent now; "memoryguard webhooks deliveries ${id}" shows what became of it.`],
    }),
    sends(ofWebhook('delete', 'remove a webhook with the log of its deliveries'), {
      request: ([id]: [string]) => ({ method: 'DELETE', path: path`/v1/webhooks/${id}` }),
      show: (_, [id]) => [`${id} is removed.`],
      json: ([id]) => ({ id, deleted: true }),
    }),
  ])
