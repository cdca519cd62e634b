import { resolve } from 'node:path'
import type { z } from 'zod'
import { MemoryGuardError, type InputFault } from '../memory-guard-error.js'
import { parseOtlpHeaders } from './kinds.js'
import { oidcFaults } from './oidc-kinds.js'
import { addPasswords, readText } from './secrets.js'
import { variables, type VariableName } from './variables.js'

type Values = { [Name in VariableName]: z.infer<(typeof variables)[Name]['schema']> }

/** The checked values of all variables. @throws MemoryGuardError CONFIG_INVALID */
export const parseVariables = (env: NodeJS.ProcessEnv): Values => {
  const values: Record<string, unknown> = {}
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
  const faulty = new Set(faults.map(({ pointer }) => pointer.replace(/_FILE$/, '')))
  faults.push(...addPasswords(values, faulty))
  if (![...faulty].some((name) => /^OIDC_|^PUBLIC_URL$/.test(name))) faults.push(...oidcFaults(values))
  const isGiven = (name: VariableName) => values[name] !== undefined || faulty.has(name)
  if (values['DATABASE_DIRECT_URL'] !== undefined && !isGiven('DATABASE_URL'))
    faults.push({ pointer: 'DATABASE_DIRECT_URL', message: 'needs DATABASE_URL, which it is the direct way to' })
  if (values['CELERY_RESULT_BACKEND'] !== undefined && !isGiven('CELERY_BROKER_URL'))
    faults.push({ pointer: 'CELERY_RESULT_BACKEND', message: 'needs CELERY_BROKER_URL, where the calls come from' })
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

const oidcSection = (values: Values) =>
  values.OIDC_ISSUER === undefined || values.OIDC_ROLE_MAP === undefined
    ? undefined
    : {
        issuer: values.OIDC_ISSUER,
        audience: values.OIDC_AUDIENCE,
        clientId: values.OIDC_CLIENT_ID,
        clientSecret: values.OIDC_CLIENT_SECRET,
        scopes: values.OIDC_SCOPES,
        label: values.OIDC_LABEL ?? new URL(values.OIDC_ISSUER).host,
        roleClaim: values.OIDC_ROLE_CLAIM,
        roleMap: values.OIDC_ROLE_MAP,
        userClaim: values.OIDC_USER_CLAIM,
      }

const celerySection = (values: Values) =>
  values.CELERY_BROKER_URL === undefined
    ? undefined
    : {
        brokerUrl: values.CELERY_BROKER_URL,
        resultBackend: values.CELERY_RESULT_BACKEND ?? values.CELERY_BROKER_URL,
        queues: values.CELERY_QUEUES,
        resultExpiresSeconds: values.CELERY_RESULT_EXPIRES_SECONDS,
        /** 0 stands for no limit. */
        prefetchMultiplier: values.CELERY_PREFETCH_MULTIPLIER,
        sendsTaskEvents: values.CELERY_TASK_EVENTS === 'true',
      }

/** How Celery callers are served. */
export type CeleryConfig = NonNullable<ReturnType<typeof celerySection>>

/** How tokens of an OIDC issuer are accepted. */
export type OidcConfig = NonNullable<ReturnType<typeof oidcSection>>

const section = (values: Values, isChosen: (name: VariableName) => boolean) => ({
  database: {
    url: values.DATABASE_URL,
    directUrl: values.DATABASE_DIRECT_URL,
    poolSize: values.DATABASE_POOL_SIZE,
    silenceSeconds: values.DATABASE_SILENCE_SECONDS,
  },
  broker: { url: values.BROKER_URL },
  /** Undefined: there is no Celery gateway. */
  celery: celerySection(values),
  http: {
    host: values.HOST,
    port: values.PORT,
    /** Without a slash at its end. */
    publicUrl: values.PUBLIC_URL,
    trustedProxies: values.TRUST_PROXY,
    corsOrigins: values.CORS_ORIGINS,
    allowedHosts: values.ALLOWED_HOSTS,
    maxConnections: values.HTTP_MAX_CONNECTIONS,
    bodyMemoryMib: values.HTTP_BODY_MEMORY_MIB,
    /** 0 stands for no limit. */
    rateLimits: {
      wrongKeysPerMinute: values.RATE_LIMIT_WRONG_KEYS_PER_MINUTE,
      keyPerMinute: values.RATE_LIMIT_KEY_PER_MINUTE,
      addressPerMinute: values.RATE_LIMIT_ADDRESS_PER_MINUTE,
      streamsPerKey: values.RATE_LIMIT_STREAMS_PER_KEY,
    },
    /** A port that was set is used or the start fails; instead of the default port another one may be used. */
    isPortChosen: isChosen('PORT'),
  },
  sessions: { idleSeconds: values.SESSION_IDLE_SECONDS, maxSeconds: values.SESSION_MAX_SECONDS },
  /** Undefined: access is by API keys alone. */
  oidc: oidcSection(values),
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
  tracing: {
    endpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: parseOtlpHeaders(values.OTEL_EXPORTER_OTLP_HEADERS) ?? {},
    sampleRatio: values.OTEL_TRACES_SAMPLER_ARG,
    serviceName: values.OTEL_SERVICE_NAME,
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
