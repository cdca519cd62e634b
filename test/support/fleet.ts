import { findFreePort } from '#libs/platform'
import { Balancer } from './balancer.js'
import type { Program, Stack } from './stack.js'

/** An api with its address. */
interface Api {
  readonly program: Program
  readonly url: string
}

/**
 * Two apis of a stack behind a balancer, and its workers, each of which is replaced as a Deployment does by default: a new one
 * is started first, and the old one gets SIGTERM when that is ready. New ones are of the stack's present `root`.
 */
export class Fleet {
  private apis: readonly Api[]

  private constructor(
    private readonly stack: Stack,
    readonly balancer: Balancer,
  ) {
    this.apis = [{ program: stack.api, url: stack.url }]
  }

  static async start(stack: Stack): Promise<Fleet> {
    const fleet = new Fleet(stack, await Balancer.start())
    await fleet.balancer.add(stack.url)
    fleet.apis = [...fleet.apis, await fleet.startApi()]
    return fleet
  }

  /** Where requests go. */
  get target(): { readonly url: string; readonly key: string } {
    return { url: this.balancer.url, key: this.stack.key }
  }

  /** @throws if one of them does not end with 0 */
  async replaceWorkers(): Promise<void> {
    for (const old of this.stack.workers.filter(({ isRunning }) => isRunning)) {
      await this.stack.startWorker()
      await end(old)
    }
  }

  /** @throws if one of them does not end with 0 */
  async replaceApis(): Promise<void> {
    const successors: Api[] = []
    for (const { program, url } of this.apis) {
      successors.push(await this.startApi())
      await end(program)
      this.balancer.remove(url)
    }
    this.apis = successors
  }

  private async startApi(): Promise<Api> {
    const port = await findFreePort('127.0.0.1')
    const url = `http://127.0.0.1:${port}`
    const program = this.stack.run('api', { PORT: String(port) })
    await this.balancer.add(url)
    return { program, url }
  }
}

const end = async (program: Program): Promise<void> => {
  const code = await program.kill('SIGTERM')
  if (code !== 0) throw new Error(`${program.name} ended with ${code}`)
}
