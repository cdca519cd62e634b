import { runAsProcess } from '#libs/platform'
import { runWorker } from './run-worker.js'

await runAsProcess('worker', () => runWorker())
