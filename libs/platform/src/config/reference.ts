import { variables } from './variables.js'

/** Descriptions of defaults that depend on the machine. */
const machineDefaults: Readonly<Record<string, string>> = { WORKER_CONCURRENCY: 'number of CPUs' }

const defaultOf = (name: string, parsed: { readonly data?: unknown }): string => {
  if (name in machineDefaults) return machineDefaults[name] ?? ''
  const { data } = parsed
  return typeof data === 'string' || typeof data === 'number' ? String(data) : Array.isArray(data) ? data.join(',') : ''
}

const rows = () =>
  Object.entries(variables).map(([name, { schema, description, secret }]) => ({
    name,
    description,
    secret,
    fallback: defaultOf(name, schema.safeParse(undefined)),
  }))

/** `docs/configuration.md`, made from the schema. */
export const configurationPage = (): string => `# Configuration

Every setting is an environment variable; a file \`.env\` in the working folder is read too, but does not override variables that are set.
A process that starts with invalid settings lists all of them. A secret may also be in a file: \`<NAME>_FILE\` holds its path.
\`npx memoryguard config print\` shows the settings in effect, with secrets masked.

| Variable | Default | Meaning |
| --- | --- | --- |
${rows()
  .map(
    ({ name, fallback, description, secret }) =>
      `| \`${name}\`${secret ? ' (secret)' : ''} | ${fallback ? `\`${fallback}\`` : ''} | ${description.replaceAll('|', '\\|')} |`,
  )
  .join('\n')}
`

/** \`.env.example\`, made from the schema. */
export const environmentExample = (): string =>
  `# Generated from the schema of libs/platform. Copy to .env and uncomment what you change.\n${rows()
    .map(
      ({ name, fallback, description }) => `\n# ${description}\n# ${name}=${name in machineDefaults ? '' : fallback}\n`,
    )
    .join('')}`
