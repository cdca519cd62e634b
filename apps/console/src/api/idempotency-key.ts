/**
 * A key for one submission, which each try of it carries. Random also where the page came over plain http, which has no
 * `crypto.randomUUID`.
 */
export const newIdempotencyKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
