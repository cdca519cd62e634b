import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A private authority and what it has signed: a certificate for 127.0.0.1 and localhost. Files of PEM. */
export interface CertificateAuthority {
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
  remove(): void
}

/** Whether `openssl` is installed here. */
export const hasOpenssl = (): boolean => spawnSync('openssl', ['version']).status === 0

/** Makes one, with `openssl`. */
export const createAuthority = (): CertificateAuthority => {
  const folder = mkdtempSync(join(tmpdir(), 'memoryguard-ca-'))
  const path = (name: string) => join(folder, name)
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...newKey, '-subj', '/CN=authority', '-keyout', path('ca.key'), '-out', path('ca.pem'))
  openssl('req', ...newKey.slice(0, 5), '-subj', '/CN=server', '-keyout', path('key.pem'), '-out', path('request.pem'))
  writeFileSync(path('names'), 'subjectAltName = IP:127.0.0.1, DNS:localhost\n')
  const signer = ['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '2']
  const files = ['-in', path('request.pem'), '-extfile', path('names'), '-out', path('certificate.pem')]
  openssl('x509', '-req', ...signer, ...files)
  return {
    caFile: path('ca.pem'),
    certificateFile: path('certificate.pem'),
    keyFile: path('key.pem'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
