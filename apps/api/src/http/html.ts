/** A page without scripts and styles, which the Content-Security-Policy forbids; `head` and `body` are HTML. */
export const htmlPage = (head: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8">` +
  `<meta name="viewport" content="width=device-width, initial-scale=1"><title>MemoryGuard</title>${head}</head>` +
  `<body>${body}</body></html>`

/** Text as part of HTML or of the value of an attribute. */
export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
