export { CeleryQueues, listOf, type DeliveryNote, type RawMessage } from './claim/celery-queues.js'
export { CeleryConnections, type CeleryUrls } from './connection.js'
export {
  bareRequest,
  decodeMessage,
  isUsableText,
  readRequest,
  requestText,
  type CallRequest,
  type CeleryMessage,
  type DecodedMessage,
  type MessageHeading,
} from './wire/message.js'
export { encodeMessage, redactedArgs, type NewMessage } from './wire/encode-message.js'
export { isObject } from './wire/is-object.js'
export { parsePythonJson, stringifyPythonJson } from './wire/python-json.js'
export { plainValue, readTime } from './wire/python-values.js'
export {
  billiardError,
  builtinError,
  celeryError,
  exceptionRepr,
  storedException,
  type PythonException,
} from './wire/exception.js'
export { UnusableSignature } from './results/canvas/sig.js'
export { CeleryResults, type EndedCall } from './results/celery-results.js'
export type { Signature } from './wire/signature.js'
export { askWorkers, type Question, type WorkerReply } from './control/ask-workers.js'
export { CeleryControl } from './control/celery-control.js'
export type { CallInfo, CeleryCalls, FoundCall, RevokeOptions, ScheduledCall, Stamps } from './control/celery-calls.js'
export type { CeleryWorker } from './control/celery-worker.js'
export { CommandFault } from './control/command.js'
export { ControlPanel } from './control/control-panel.js'
export { RevokeListener } from './control/revoke-listener.js'
export { CeleryEvents } from './events/celery-events.js'
export type { TaskEvent } from './events/task-event.js'
export { LogicalClock } from './logical-clock.js'
export { CelerySurvey, type SurveyedQueue, type SurveyedUnacked } from './survey/celery-survey.js'
export { describeMessage, type DescribedMessage } from './survey/described-message.js'
