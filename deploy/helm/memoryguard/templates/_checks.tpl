{{/* Combinations of values that cannot work, each rejected with one sentence that says what to do. */}}
{{- define "memoryguard.checks" -}}
{{- $values := .Values -}}
{{- $config := $values.config | default dict -}}
{{- $secrets := $values.secrets | default dict -}}
{{- include "memoryguard.checkName" . -}}
{{- range $variable, $url := $config -}}
{{- if regexMatch "_(URL|BACKEND|ISSUER|ENDPOINT)$" $variable -}}
{{- if and $url (hasKey $secrets $variable) -}}
{{- fail (printf "config.%s and secrets.%s are both set: remove one of them." $variable $variable) -}}
{{- end -}}
{{- include "memoryguard.checkUrl" (list $variable (toString $url)) -}}
{{- end -}}
{{- end -}}
{{- include "memoryguard.checkServer" (list $values "postgresql" "DATABASE" "PostgreSQL") -}}
{{- include "memoryguard.checkServer" (list $values "redis" "BROKER" "Redis") -}}
{{- if not (or $config.DATABASE_URL $secrets.DATABASE_URL $values.postgresql.bundled) -}}
{{- fail "The database is missing: set config.DATABASE_URL (without a password) and secrets.DATABASE_PASSWORD, or secrets.DATABASE_URL, or postgresql.bundled=true for trying it." -}}
{{- end -}}
{{- if and $config.DATABASE_URL (not $secrets.DATABASE_PASSWORD) -}}
{{- fail "secrets.DATABASE_PASSWORD is missing: make a Secret with `kubectl create secret generic memoryguard-database --from-file=password=FILE` and set secrets.DATABASE_PASSWORD to {name: memoryguard-database, key: password}." -}}
{{- end -}}
{{- range $variable := list "BROKER_PASSWORD" "BROKER_SENTINEL_PASSWORD" -}}
{{- if and (hasKey $secrets $variable) (not (or $config.BROKER_URL $secrets.BROKER_URL $values.redis.bundled)) -}}
{{- fail (printf "secrets.%s is set, but no broker: set config.BROKER_URL, or remove it." $variable) -}}
{{- end -}}
{{- end -}}
{{- if $config.WORKER_AUTOSCALE -}}
{{- fail "config.WORKER_AUTOSCALE would win over workers.<queue>.concurrency: remove it, and use workers.<queue>.replicas or keda.enabled=true." -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.host) -}}
{{- fail "ingress.host is missing: set the host name under which browsers and callers reach the api, or ingress.enabled=false." -}}
{{- end -}}
{{- include "memoryguard.checkWorkers" . -}}
{{- end -}}

{{/* A Service is called after the release, and its name begins with a letter and has no dots. */}}
{{- define "memoryguard.checkName" -}}
{{- $name := include "memoryguard.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "%s cannot be the name of a Service: set fullnameOverride to lower-case letters, digits and hyphens that begin with a letter." $name) -}}
{{- end -}}
{{- end -}}

{{/* No password in a URL, whether behind its user, in an option or in keywords of libpq: list "BROKER_URL" url. */}}
{{- define "memoryguard.checkUrl" -}}
{{- $variable := index . 0 -}}
{{- $url := index . 1 -}}
{{- $whole := printf "put the whole URL into a Secret and name it in secrets.%s" $variable -}}
{{- $advice := dict
  "DATABASE_URL" (printf "put the password into a Secret and name it in secrets.DATABASE_PASSWORD, or %s" $whole)
  "DATABASE_DIRECT_URL" (printf "leave it out if it is that of secrets.DATABASE_PASSWORD, or %s" $whole)
  "BROKER_URL" (printf "put the password into a Secret and name it in secrets.BROKER_PASSWORD, or that of sentinels in secrets.BROKER_SENTINEL_PASSWORD, or %s" $whole)
  "CELERY_BROKER_URL" $whole
  "CELERY_RESULT_BACKEND" $whole
  "OTEL_EXPORTER_OTLP_ENDPOINT" "put a header such as authorization=Basic%20... into a Secret and name it in secrets.OTEL_EXPORTER_OTLP_HEADERS" -}}
{{- $isOfServer := regexMatch "^(DATABASE|BROKER|CELERY)_" $variable -}}
{{- $behindUser := ternary "(?s)^[^:/]+://.*:.+@" "^[^:/]+://[^/?#]*@" $isOfServer -}}
{{- if or (regexMatch $behindUser $url) (regexMatch `(?i)pass(word|wd)?\s*=` $url) -}}
{{- fail (printf "config.%s must hold no password: %s." $variable (get $advice $variable | default "remove it")) -}}
{{- end -}}
{{- end -}}

{{/* list values "redis" "BROKER" "Redis" */}}
{{- define "memoryguard.checkServer" -}}
{{- $values := index . 0 -}}
{{- $config := $values.config | default dict -}}
{{- $secrets := $values.secrets | default dict -}}
{{- $url := printf "%s_URL" (index . 2) -}}
{{- if and (get (get $values (index . 1)) "bundled") (or (hasKey $config $url) (hasKey $secrets $url)) -}}
{{- fail (printf "%s.bundled=true runs a %s of the chart, but %s names another one: remove one of them." (index . 1) (index . 3) $url) -}}
{{- end -}}
{{- end -}}

{{- define "memoryguard.checkWorkers" -}}
{{- $keda := .Values.keda -}}
{{- $enabled := 0 -}}
{{- $least := 0 -}}
{{- $replicas := 0 -}}
{{- $isCelery := or (hasKey (.Values.config | default dict) "CELERY_BROKER_URL") (hasKey (.Values.secrets | default dict) "CELERY_BROKER_URL") -}}
{{- range $queue, $worker := .Values.workers -}}
{{- if $worker.enabled -}}
{{- $enabled = add $enabled 1 -}}
{{- $least = add $least $worker.minReplicas -}}
{{- $replicas = add $replicas $worker.replicas -}}
{{- if and $keda.enabled $isCelery (not $worker.minReplicas) -}}
{{- fail (printf "With CELERY_BROKER_URL set workers.%s.minReplicas to 1 or more, or enabled=false: KEDA does not see calls that wait in Celery's queues." $queue) -}}
{{- end -}}
{{- if gt (int $worker.minReplicas) (int $worker.maxReplicas) -}}
{{- fail (printf "workers.%s.minReplicas must be at most its maxReplicas (%d), not %d." $queue (int $worker.maxReplicas) (int $worker.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $enabled -}}
{{- fail "No worker is enabled, so that no task would run: set workers.<queue>.enabled=true for at least one queue." -}}
{{- end -}}
{{- if not (or $replicas $keda.enabled) -}}
{{- fail "No worker would run: set workers.<queue>.replicas to 1 or more for at least one queue." -}}
{{- end -}}
{{- if $keda.enabled -}}
{{- if not $keda.secret.name -}}
{{- fail "keda.secret.name is missing: install without KEDA first, make a key with `memoryguard api-keys create --role viewer`, store it in a Secret and name that." -}}
{{- end -}}
{{- if not $least -}}
{{- fail "keda.enabled=true would stop the last worker, which also runs schedules, webhooks and the removal of old results: set minReplicas to 1 or more for one queue." -}}
{{- end -}}
{{- end -}}
{{- end -}}
