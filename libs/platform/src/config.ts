import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { isEasyToGuess } from './admin-key-strength.js'
import { parseBrokerUrl } from './broker-url.js'
import { auditVariables } from './config-audit.js'
import { httpSection, httpVariables } from './config-http.js'
import { addPasswords, type ServerValues } from './config-passwords.js'
import { readText } from './config-text.js'
import { count, seconds, secret, variable } from './config-variable.js'
import { parseDatabaseUrl } from './database-url.js'
import { MemoryGuardError, type InputFault } from './memory-guard-error.js'
import { queueNames } from './queue-names.js'

const makeAdminKey = 'make one with `echo "mg_$(openssl rand -hex 32)"`'

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

const brokerUrl = z.string().superRefine((text, context) => {
  const parsed = parseBrokerUrl(text)
  if ('fault' in parsed) context.addIssue({ code: 'custom', message: parsed.fault })
})
const databaseUrl = z.string().superRefine((text, context) => {
  const parsed = parseDatabaseUrl(text)
  if ('fault' in parsed) context.addIssue({ code: 'custom', message: parsed.fault })
})
const secondsList = z
  .string()
  .transform((text): unknown[] => text.split(','))
  .pipe(z.array(seconds(0)).min(1).max(50))
const queueList = z
  .string()
  .transform((text) => [...new Set(text.split(',').map((name) => name.trim()))])
  .pipe(z.array(z.enum(queueNames, { error: `must be a list of queues out of ${queueNames.join(', ')}` })).min(1))

/** Celery's `--autoscale`: the most and the fewest children. */
const scaleLimits = z
  .string()
  .regex(/^\d+(,\d+)?$/, { error: 'must be one or two numbers, such as 8,2' })
  .transform((text): readonly [number, number] => {
    const [max = 0, min = 1] = text.split(',').map(Number)
    return [max, min]
  })
  .refine(([max, min]) => max <= 256 && min >= 1 && max >= min, {
    error: 'must be the most (up to 256) and the fewest (from 1), such as 8,2',
  })

/** Every variable the product reads, in the order of the documentation. */
export const variables = {
  DATABASE_URL: secret(
    databaseUrl.optional(),
    'PostgreSQL 14 or newer. Empty: `memoryguard start` runs its own PostgreSQL in `MEMORYGUARD_HOME`.',
  ),
  DATABASE_DIRECT_URL: secret(
    databaseUrl.optional(),
    'The same database without a pooler, where `DATABASE_URL` leads to one: for migrations, notifications and queues.',
  ),
  BROKER_URL: secret(
    brokerUrl.optional(),
    'Redis or Valkey for the queues. Empty: the queues live in the same PostgreSQL.',
  ),
  DATABASE_PASSWORD: secret(
    z.string().optional(),
    'Password for `DATABASE_URL`, and for a `DATABASE_DIRECT_URL` without one: it may hold characters that a URL would need encoded.',
  ),
  BROKER_PASSWORD: secret(z.string().optional(), 'Password for `BROKER_URL`, in the same way.'),
  ...httpVariables,
  MEMORYGUARD_HOME: variable(
    z.string().min(1).default('.memoryguard'),
    'Folder of the embedded database and of the first admin key.',
  ),
  ADMIN_API_KEY: secret(
    z
      .string()
      .regex(/^mg_[A-Za-z0-9_-]{20,}$/, {
        error: `must be mg_ and at least 20 letters, digits, - or _: ${makeAdminKey}`,
        abort: true,
      })
      .refine((key) => !isEasyToGuess(key), `is easy to guess: ${makeAdminKey}`)
      .optional(),
    'The bootstrap admin key; a new value replaces the old one. Empty: one is made at the first start.',
  ),
  LOG_LEVEL: variable(z.enum(logLevels).default('info'), `One of ${logLevels.join(', ')}.`),
  MODELS_DIR: variable(z.string().min(1).default('models'), 'Folder that holds `<name>/<version>/` model folders.'),
  DEFAULT_MODEL: variable(
    z.string().min(1).default('impairment-screen'),
    'Model of a prediction that names none: `name` (its newest version here) or `name@version`.',
  ),
  DATABASE_POOL_SIZE: variable(
    count(4, 200).default(10),
    'Most PostgreSQL connections of one process, queues excluded.',
  ),
  DATABASE_SILENCE_SECONDS: variable(
    seconds(0.2, 3600).default(15),
    'A connection on which PostgreSQL owes an answer for this long without working on it is cut.',
  ),
  SHUTDOWN_DELAY_SECONDS: variable(
    seconds(0, 3600).default(0),
    'How long api and worker go on serving after they were asked to stop and are not ready any more, so that balancers notice.',
  ),
  WORKER_QUEUES: variable(queueList.default([...queueNames]), 'Queues a worker consumes, separated by commas.'),
  WORKER_CONCURRENCY: variable(
    count(1, 256).default(Math.max(1, availableParallelism())),
    'Number of compute children of a worker. Default: the number of CPUs.',
  ),
  WORKER_AUTOSCALE: variable(
    scaleLimits.optional(),
    'The most and the fewest compute children, such as `8,2` (`8` means `8,1`): their number follows the work. It wins over `WORKER_CONCURRENCY`.',
  ),
  WORKER_AUTOSCALE_IDLE_SECONDS: variable(
    seconds(0.5, 86_400).default(30),
    'How long compute children that are not needed stay.',
  ),
  WORKER_NAME: variable(z.string().min(1).max(120).default('memoryguard@%h'), 'Name of a worker; %h is the host name.'),
  WORKER_POOL: variable(
    z.enum(['prefork', 'solo']).default('prefork'),
    'prefork computes in child processes; solo in the worker itself (debugging only).',
  ),
  WORKER_HEALTH_PORT: variable(
    count(0, 65_535).default(8081),
    'Port of a worker for probes and metrics; 0 picks a free one.',
  ),
  WORKER_MAX_TASKS_PER_CHILD: variable(
    count(0, 1_000_000_000).default(1000),
    'A child is replaced after this many tasks; 0: never.',
  ),
  WORKER_MAX_MEMORY_PER_CHILD_KB: variable(
    count(0, 1_000_000_000).default(500_000),
    'A child is replaced when its resident memory has passed this many KiB; 0: never.',
  ),
  WORKER_DRAIN_SECONDS: variable(seconds(0, 3600).default(25), 'How long a warm shutdown waits for running tasks.'),
  WORKER_STALL_REBUILD_SECONDS: variable(
    seconds(0.5, 86_400).default(30),
    'A worker that takes no work for this long, although some waits and a child is free, connects to the broker anew.',
  ),
  WORKER_STALL_UNREADY_SECONDS: variable(
    seconds(0.5, 86_400).default(60),
    'After this long it is not ready any more. An outage of broker or database does not count.',
  ),
  WORKER_STALL_EXIT_SECONDS: variable(
    seconds(0.5, 86_400).default(120),
    'After this long it ends with exit code 1, for its supervisor to start another.',
  ),
  TASK_MAX_RETRIES: variable(count(0, 1000).default(3), 'Retries of a task after transient failures.'),
  TASK_RETRY_DELAY_SECONDS: variable(seconds(0).default(60), 'Delay before a retry, +- 10 % jitter.'),
  TASK_TIME_LIMIT_SECONDS: variable(seconds(0.1).default(1800), 'Hard time limit: the computing child is killed.'),
  TASK_SOFT_TIME_LIMIT_SECONDS: variable(seconds(0.1).default(1500), 'Soft time limit: the task is asked to stop.'),
  TASK_REVOKE_GRACE_SECONDS: variable(
    seconds(0, 3600).default(5),
    'How long a revoked task may take to end before what computes it is killed.',
  ),
  TASK_LOCK_SECONDS: variable(seconds(1, 600).default(15), 'How long a silent worker keeps its running tasks.'),
  RESULT_TTL_SECONDS: variable(
    seconds(0, 3_153_600_000).default(0),
    'Finished tasks and their results are removed this long after their end; 0: never.',
  ),
  ...auditVariables,
  RECONCILE_INTERVAL_SECONDS: variable(
    seconds(0.2, 600).default(5),
    'How often the database is compared with the queues.',
  ),
  EVENTS_HEARTBEAT_SECONDS: variable(
    seconds(0.1, 600).default(15),
    'How often a silent stream of events sends a comment, so that proxies keep it open.',
  ),
  WEBHOOK_ALLOW_PRIVATE_ADDRESSES: variable(
    z.enum(['true', 'false'], { error: 'must be true or false' }).default('false'),
    'true: webhooks may lead to private addresses and by http. Only where everyone who may make one is trusted.',
  ),
  WEBHOOK_TIMEOUT_SECONDS: variable(seconds(0.1, 60).default(15), 'How long a receiver of a webhook may take.'),
  WEBHOOK_RETRY_SECONDS: variable(
    secondsList.default([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]),
    'Delays before the second and each further attempt of a webhook, separated by commas.',
  ),
} as const

type Variables = typeof variables
export type VariableName = keyof Variables
type Values = { [Name in VariableName]: z.infer<Variables[Name]['schema']> }

/** The checked values of all variables. @throws MemoryGuardError CONFIG_INVALID */
export const parseVariables = (env: NodeJS.ProcessEnv): Values => {
  const values: Record<string, unknown> & ServerValues = {}
  const faults: InputFault[] = []
  for (const [name, { schema, secret: isSecret }] of Object.entries(variables)) {
    const read = readText(name, isSecret, env)
    if (typeof read === 'object') {
      faults.push(read)
      continue
    }
    const parsed = schema.safeParse(read)
    if (parsed.success) values[name] = parsed.data
    else for (const issue of parsed.error.issues) faults.push({ pointer: name, message: issue.message })
  }
  faults.push(...addPasswords(values))
  if (values['DATABASE_DIRECT_URL'] !== undefined && values['DATABASE_URL'] === undefined)
    faults.push({ pointer: 'DATABASE_DIRECT_URL', message: 'needs DATABASE_URL, which it is the direct way to' })
  const { TASK_SOFT_TIME_LIMIT_SECONDS: soft, TASK_TIME_LIMIT_SECONDS: hard } = values as Partial<Values>
  // Of its own accord the soft limit's default may be above a hard one that was chosen; then only the hard one counts.
  if (env['TASK_SOFT_TIME_LIMIT_SECONDS'] && soft !== undefined && hard !== undefined && soft > hard) {
    const message = 'must not be above TASK_TIME_LIMIT_SECONDS, which ends the task before'
    faults.push({ pointer: 'TASK_SOFT_TIME_LIMIT_SECONDS', message })
  }
  if (faults.length > 0) {
    const list = faults.map(({ pointer, message }) => `  ${pointer}: ${message}`).join('\n')
    throw new MemoryGuardError('CONFIG_INVALID', `Configuration error:\n${list}`, {
      faults,
    })
  }
  return values as Values
}

const autoscaleOf = ({ WORKER_AUTOSCALE: limits, WORKER_AUTOSCALE_IDLE_SECONDS: idleSeconds }: Values) =>
  limits && { max: limits[0], min: limits[1], idleSeconds }

const section = (values: Values, isChosen: (name: VariableName) => boolean) => ({
  database: {
    url: values.DATABASE_URL,
    directUrl: values.DATABASE_DIRECT_URL,
    poolSize: values.DATABASE_POOL_SIZE,
    silenceSeconds: values.DATABASE_SILENCE_SECONDS,
  },
  broker: { url: values.BROKER_URL },
  http: {
    ...httpSection(values),
    /** A port that was asked for is taken or refused; another than the default may be taken. */
    isPortChosen: isChosen('PORT'),
  },
  shutdownDelaySeconds: values.SHUTDOWN_DELAY_SECONDS,
  home: resolve(values.MEMORYGUARD_HOME),
  adminApiKey: values.ADMIN_API_KEY,
  log: { level: values.LOG_LEVEL },
  models: {
    folder: resolve(values.MODELS_DIR),
    default: values.DEFAULT_MODEL,
    isDefaultChosen: isChosen('DEFAULT_MODEL'),
  },
  worker: {
    queues: values.WORKER_QUEUES,
    concurrency: values.WORKER_AUTOSCALE?.[1] ?? values.WORKER_CONCURRENCY,
    autoscale: autoscaleOf(values),
    name: values.WORKER_NAME,
    pool: values.WORKER_POOL,
    healthPort: values.WORKER_HEALTH_PORT,
    isHealthPortChosen: isChosen('WORKER_HEALTH_PORT'),
    maxTasksPerChild: values.WORKER_MAX_TASKS_PER_CHILD,
    maxMemoryPerChildKb: values.WORKER_MAX_MEMORY_PER_CHILD_KB,
    drainSeconds: values.WORKER_DRAIN_SECONDS,
    stall: {
      rebuildSeconds: values.WORKER_STALL_REBUILD_SECONDS,
      unreadySeconds: values.WORKER_STALL_UNREADY_SECONDS,
      exitSeconds: values.WORKER_STALL_EXIT_SECONDS,
    },
  },
  task: {
    maxRetries: values.TASK_MAX_RETRIES,
    retryDelaySeconds: values.TASK_RETRY_DELAY_SECONDS,
    timeLimitSeconds: values.TASK_TIME_LIMIT_SECONDS,
    softTimeLimitSeconds: values.TASK_SOFT_TIME_LIMIT_SECONDS,
    revokeGraceSeconds: values.TASK_REVOKE_GRACE_SECONDS,
    lockSeconds: values.TASK_LOCK_SECONDS,
    reconcileIntervalSeconds: values.RECONCILE_INTERVAL_SECONDS,
  },
  events: { heartbeatSeconds: values.EVENTS_HEARTBEAT_SECONDS },
  retention: { resultTtlSeconds: values.RESULT_TTL_SECONDS, auditTtlSeconds: values.AUDIT_TTL_SECONDS },
  audit: { recordsReads: values.AUDIT_READS === 'persons' },
  webhooks: {
    allowPrivateAddresses: values.WEBHOOK_ALLOW_PRIVATE_ADDRESSES === 'true',
    timeoutSeconds: values.WEBHOOK_TIMEOUT_SECONDS,
    retrySeconds: values.WEBHOOK_RETRY_SECONDS,
  },
})

/** The checked configuration of a process, by section. Frozen; durations carry their unit. */
export type Config = ReturnType<typeof section>

/**
 * Checks the environment and gives the configuration.
 * @throws MemoryGuardError CONFIG_INVALID, which lists every faulty variable and never a value.
 */
export const loadConfig = (env: NodeJS.ProcessEnv): Config => {
  const config = section(parseVariables(env), (name) => Boolean(env[name]))
  for (const part of Object.values(config)) Object.freeze(part)
  return Object.freeze(config)
}

/** The environment of this process, with `.env` of the working folder under it (what is set already wins). */
export const readEnvironment = (): NodeJS.ProcessEnv => {
  try {
    process.loadEnvFile()
  } catch (error) {
    // No .env file is the normal case; an unreadable one is not.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  return process.env
}
