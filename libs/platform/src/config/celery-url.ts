import type { BrokerAddress } from './broker-address.js'
import { parseBrokerUrl } from './broker-url.js'

/** A Redis of Celery, as its URL names it. */
export interface CeleryAddress extends BrokerAddress {
  /** `global_keyprefix`: stands before every key and channel. */
  readonly keyPrefix: string
  /** False for `ssl_cert_reqs=none` (or `CERT_NONE`): the certificate is not checked. */
  readonly checksCertificate: boolean
  /** File of the authorities that sign the server's certificate. */
  readonly caFile: string | undefined
}

const withoutCheck = ['none', 'CERT_NONE', 'optional', 'CERT_OPTIONAL']
const withCheck = ['required', 'CERT_REQUIRED']

/**
 * Reads a URL as Celery has it: that of a broker, or of a result backend on Redis, with the options that Celery takes
 * after `?` for TLS (`ssl_cert_reqs`, `ssl_ca_certs`) and `global_keyprefix`.
 */
export const parseCeleryUrl = (text: string): { readonly address: CeleryAddress } | { readonly fault: string } => {
  const [base = '', query = ''] = text.split(/\?(.*)/s)
  const options = new URLSearchParams(query)
  const take = (name: string): string | undefined => {
    const value = options.get(name)
    options.delete(name)
    return value ?? undefined
  }
  const check = take('ssl_cert_reqs')
  const caFile = take('ssl_ca_certs')
  const keyPrefix = take('global_keyprefix') ?? ''
  if (check !== undefined && !withoutCheck.includes(check) && !withCheck.includes(check)) {
    return { fault: 'must have required or none as ssl_cert_reqs' }
  }
  if (take('ssl_certfile') !== undefined || take('ssl_keyfile') !== undefined) {
    return { fault: 'has a client certificate (ssl_certfile, ssl_keyfile), which is not supported' }
  }
  const rest = options.toString()
  const parsed = parseBrokerUrl(rest === '' ? base : `${base}?${rest}`)
  if ('fault' in parsed) {
    return /option after/.test(parsed.fault)
      ? {
          fault:
            'has an option after ? that is not known; ssl_cert_reqs, ssl_ca_certs, global_keyprefix and family are',
        }
      : parsed
  }
  if (parsed.address.kind === 'cluster') {
    return { fault: 'names a Redis Cluster, which Celery cannot use; name one server or sentinels' }
  }
  return {
    address: {
      ...parsed.address,
      keyPrefix,
      checksCertificate: check === undefined || withCheck.includes(check),
      caFile,
    },
  }
}
