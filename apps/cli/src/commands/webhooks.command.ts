import { Command } from 'commander'
import type { ConnectionFlags } from '../client/connect.js'
import { cell, print, printJson } from '../output.js'
import { withConnection } from './connection-options.js'

type Flags = ConnectionFlags & { readonly json?: true }

interface CreateFlags extends Flags {
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

/** `memoryguard webhooks`: who is told of the ends of tasks. */
export function webhooksCommand(): Command {
  return new Command('webhooks')
    .description('notify URLs when tasks finish')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(deliveriesCommand())
    .addCommand(testCommand())
    .addCommand(removeCommand())
}

function createCommand(): Command {
  const command = new Command('create')
    .description('make a webhook; its secret is shown once')
    .argument('<url>', 'where messages are posted to')
    .option('--events <events>', 'such as task.failed, separated by commas (default: all)')
    .option('--tasks <names>', 'only of these tasks, separated by commas')
    .option('--description <text>', 'what it is for')
  return withConnection(command).action(async (url: string, flags: CreateFlags) => {
    const { connect } = await import('../client/connect.js')
    const { description } = flags
    const body = { url, description, events: flags.events?.split(','), tasks: flags.tasks?.split(',') }
    const answer = await connect(flags).send({ method: 'POST', path: '/v1/webhooks', body })
    if (flags.json) return printJson(answer.body)
    const { id, secret } = answer.body as { readonly id: string; readonly secret: string }
    print(secret)
    print(`Its id is ${id}. Keep the secret now: it is not shown again.`)
  })
}

function listCommand(): Command {
  const command = new Command('list').description('list the webhooks, without their secrets')
  return withConnection(command).action(async (flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: '/v1/webhooks' })
    if (flags.json) return printJson(body)
    for (const { id, url, events, is_active, disabled_reason } of (body as { readonly items: WebhookRow[] }).items) {
      print(
        [
          id,
          is_active ? 'on ' : 'off',
          cell(url),
          events.join(','),
          ...(disabled_reason ? [disabled_reason] : []),
        ].join('  '),
      )
    }
  })
}

function deliveriesCommand(): Command {
  const command = new Command('deliveries')
    .description('show the last deliveries, newest first')
    .argument('<id>', 'id of the webhook')
  return withConnection(command).action(async (id: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const { body } = await connect(flags).send({ path: `/v1/webhooks/${encodeURIComponent(id)}/deliveries` })
    if (flags.json) return printJson(body)
    for (const row of (body as { readonly items: DeliveryRow[] }).items) {
      const { state, event, task_id: task, attempts, error } = row
      print(
        [row.created_at, state.padEnd(9), event, task ?? '-', `attempts ${attempts}`, error ?? ''].join('  ').trimEnd(),
      )
    }
  })
}

function testCommand(): Command {
  const command = new Command('test').description('send a test message').argument('<id>', 'id of the webhook')
  return withConnection(command).action(async (id: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    const path = `/v1/webhooks/${encodeURIComponent(id)}/test`
    const { body } = await connect(flags).send({ method: 'POST', path })
    if (flags.json) return printJson(body)
    print(`It is sent now; "memoryguard webhooks deliveries ${id}" shows what became of it.`)
  })
}

function removeCommand(): Command {
  const command = new Command('delete')
    .description('remove a webhook with the log of its deliveries')
    .argument('<id>', 'id of the webhook')
  return withConnection(command).action(async (id: string, flags: Flags) => {
    const { connect } = await import('../client/connect.js')
    await connect(flags).send({ method: 'DELETE', path: `/v1/webhooks/${encodeURIComponent(id)}` })
    if (flags.json) printJson({ id, deleted: true })
    else print(`${id} is removed.`)
  })
}
