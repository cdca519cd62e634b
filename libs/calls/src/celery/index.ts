export { CallRevokes } from './call-revokes.js'
