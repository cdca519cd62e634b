import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { queueNames } from '../queue-names.js'
import { celeryVariables } from './celery-variables.js'
import {
  addressRanges,
  adminKey,
  brokerUrl,
  count,
  databaseUrl,
  hostNames,
  origins,
  otlpEndpoint,
  otlpHeaders,
  publicUrl,
  queueList,
  scaleLimits,
  seconds,
  secondsList,
} from './kinds.js'
import { issuerUrl, roleMap, scopes } from './oidc-kinds.js'
import { secret, variable } from './variable.js'

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

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
    'Redis or Valkey for the queues: one server, a Redis Cluster (`redis+cluster://`) or Sentinel (`redis+sentinel://`), see docs/broker.md. Empty: the queues live in the same PostgreSQL.',
  ),
  DATABASE_PASSWORD: secret(
    z.string().optional(),
    'Password for `DATABASE_URL`, and for a `DATABASE_DIRECT_URL` without one: it may hold characters that a URL would need encoded.',
  ),
  BROKER_PASSWORD: secret(z.string().optional(), 'Password for `BROKER_URL`, in the same way.'),
  BROKER_SENTINEL_PASSWORD: secret(
    z.string().optional(),
    'Password of the sentinels themselves, if `BROKER_URL` names sentinels that ask for one.',
  ),
  ...celeryVariables,
  HOST: variable(z.string().min(1).default('127.0.0.1'), 'Address the API listens on.'),
  PORT: variable(count(0, 65_535).default(3000), 'Port the API listens on.'),
  PUBLIC_URL: variable(
    publicUrl.optional(),
    'URL under which callers reach the API, with the path prefix of a reverse proxy if there is one: `Location` and the OpenAPI document name it. Empty: the path alone is named.',
  ),
  TRUST_PROXY: variable(
    addressRanges.default([]),
    "Addresses of the reverse proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed, such as `10.0.0.0/8` or `loopback`, separated by commas. Empty: nobody's.",
  ),
  CORS_ORIGINS: variable(
    origins.default([]),
    'Origins of web pages that may call the API, such as `https://app.example.org`, separated by commas; `*` alone for any. Cookies are never accepted. Empty: none.',
  ),
  ALLOWED_HOSTS: variable(
    hostNames.default([]),
    'Further host names under which browsers may sign in, without a port, separated by commas. Addresses, `localhost`, and the hosts of `HOST` and `PUBLIC_URL` are always accepted.',
  ),
  SESSION_IDLE_SECONDS: variable(
    seconds(10, 31_536_000).default(1_800),
    'A session of a browser ends when it has made no request for this long.',
  ),
  SESSION_MAX_SECONDS: variable(
    seconds(10, 31_536_000).default(43_200),
    'A session of a browser ends this long after the sign-in, whatever it does.',
  ),
  OIDC_ISSUER: variable(
    issuerUrl.optional(),
    'OpenID Connect issuer, exactly as its tokens name it. Empty: access is by API keys alone.',
  ),
  OIDC_AUDIENCE: variable(
    z.string().min(1).optional(),
    'Audience (`aud`) that an access token must have. Empty: access tokens are not accepted.',
  ),
  OIDC_CLIENT_ID: variable(
    z.string().min(1).optional(),
    'Client id for sign-in in a browser, with `PUBLIC_URL` + `/v1/session/oidc/callback` as its redirect URI. Empty: browsers sign in with API keys.',
  ),
  OIDC_CLIENT_SECRET: secret(
    z.string().min(1).optional(),
    'Secret of that client. Empty: it is a public client, which PKCE protects.',
  ),
  OIDC_SCOPES: variable(scopes.default('openid'), 'Scopes that a sign-in in a browser asks for.'),
  OIDC_LABEL: variable(
    z
      .string()
      .min(1)
      .max(64)
      .regex(/^\P{Cc}+$/u, 'must not hold control characters')
      .optional(),
    'What people know the issuer by, as the button of its sign-in shows it. Empty: the host of `OIDC_ISSUER`.',
  ),
  OIDC_ROLE_CLAIM: variable(
    z.string().min(1).default('roles'),
    'Claim that holds the roles, as a text or a list of texts; with dots for a member of an object, such as `realm_access.roles`.',
  ),
  OIDC_ROLE_MAP: variable(
    roleMap.optional(),
    "Values of that claim and the role each gives, such as `mg-admins=admin,mg-doctors=submitter,mg-patients=viewer:bound`. The highest counts; without any the caller gets 403. A caller with a bound role reaches only one person's data, see `OIDC_USER_CLAIM`.",
  ),
  OIDC_USER_CLAIM: variable(
    z.string().min(1).optional(),
    'Claim with the number of the person (`user_id`) whom a caller with a bound role reaches; without it such a caller gets 403.',
  ),
  HTTP_MAX_CONNECTIONS: variable(
    count(1, 1_000_000).default(4_000),
    'Maximum of open connections of the API; a further one replaces one without a request of a valid key, or is closed at once.',
  ),
  HTTP_BODY_MEMORY_MIB: variable(
    count(8, 65_536).default(48),
    'Maximum memory for JSON bodies in progress that are larger than 64 KiB each; a further one gets 503. One key may use half of it, and gets 429 for more.',
  ),
  RATE_LIMIT_WRONG_KEYS_PER_MINUTE: variable(
    count(0, 1_000_000_000).default(20),
    'Sign-ins with a wrong key that an address (of IPv6: a /64 network) may try in a minute; after that 429, without a look-up. 0: no limit.',
  ),
  RATE_LIMIT_KEY_PER_MINUTE: variable(
    count(0, 1_000_000_000).default(1_200_000),
    'Requests of one key in a minute to one API process; after that 429. 0: no limit.',
  ),
  RATE_LIMIT_ADDRESS_PER_MINUTE: variable(
    count(0, 1_000_000_000).default(1_200_000),
    'Requests of one address in a minute to one API process, probes left out; after that 429. 0: no limit.',
  ),
  RATE_LIMIT_STREAMS_PER_KEY: variable(
    count(1, 1_000).default(100),
    'Event streams that one key may hold open in one API process, out of 1,000; after that 429.',
  ),
  MEMORYGUARD_HOME: variable(
    z.string().min(1).default('.memoryguard'),
    'Folder of the embedded database and of the first admin key.',
  ),
  ADMIN_API_KEY: secret(
    adminKey.optional(),
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
    'A connection is closed if PostgreSQL does not respond on it for this long although it works on no statement of it.',
  ),
  SHUTDOWN_DELAY_SECONDS: variable(
    seconds(0, 3600).default(0),
    'How long api and worker keep serving after a stop signal. They are not ready meanwhile, so that load balancers notice.',
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
    'How long compute children stay idle before they are removed.',
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
    'A worker that takes no tasks for this long, although some wait and a child is free, reconnects to the broker.',
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
  TASK_SOFT_TIME_LIMIT_SECONDS: variable(
    seconds(0.1).default(1500),
    'Soft time limit: the task receives an abort signal.',
  ),
  TASK_REVOKE_GRACE_SECONDS: variable(
    seconds(0, 3600).default(5),
    'How long a revoked task may take to end before its compute child is killed.',
  ),
  TASK_LOCK_SECONDS: variable(
    seconds(1, 600).default(15),
    'Lease of a running task: it is started again if its worker has not renewed the lease for this long.',
  ),
  RESULT_TTL_SECONDS: variable(
    seconds(0, 3_153_600_000).default(0),
    'Finished tasks and their results are removed this long after their end; 0: never.',
  ),
  AUDIT_TTL_SECONDS: variable(
    seconds(0, 3_153_600_000).default(0),
    'Entries of the audit trail are removed after this time; 0: never.',
  ),
  AUDIT_READS: variable(
    z.enum(['none', 'persons'], { error: 'must be none or persons' }).default('none'),
    "persons: the audit trail records which key read which person's data, by pseudonym, one entry a minute at most. none: reads are not recorded.",
  ),
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
    'true: webhooks may use http and private addresses. Only where everyone who may create webhooks is trusted.',
  ),
  WEBHOOK_TIMEOUT_SECONDS: variable(seconds(0.1, 60).default(15), 'Time limit for the response of a webhook receiver.'),
  WEBHOOK_RETRY_SECONDS: variable(
    secondsList.default([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]),
    'Delays before the second and each further attempt of a webhook, separated by commas.',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    otlpEndpoint.optional(),
    'Collector of traces, such as `http://127.0.0.1:4318`, by OTLP over HTTP. Empty: no traces.',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: secret(
    otlpHeaders.default(''),
    'Headers for the collector: `name=value`, separated by commas, values percent-encoded.',
  ),
  OTEL_TRACES_SAMPLER_ARG: variable(
    z.coerce.number({ error: 'must be a number from 0 to 1' }).min(0).max(1).default(0.1),
    'Share of the requests that begin a trace. A request with a `traceparent` header is traced if its caller is.',
  ),
  OTEL_SERVICE_NAME: variable(
    z.string().min(1).max(100).default('memoryguard'),
    'First part of the name of the service in traces; `-api` or `-worker` follows.',
  ),
} as const

export type VariableName = keyof typeof variables
