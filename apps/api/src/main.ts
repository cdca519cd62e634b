import { runAsProcess } from '#libs/platform'
import { runApi } from './run-api.js'

await runAsProcess('api', () => runApi())
