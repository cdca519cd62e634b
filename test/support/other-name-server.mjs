/**
 * Loaded into a program of the product before it starts (`--import`): names are asked of the server in
 * TEST_NAME_SERVER, as a machine's own configuration would have it.
 */
import { promises } from 'node:dns'
import process from 'node:process'

promises.Resolver = class extends promises.Resolver {
  constructor(options) {
    super(options)
    this.setServers([process.env.TEST_NAME_SERVER])
  }
}
