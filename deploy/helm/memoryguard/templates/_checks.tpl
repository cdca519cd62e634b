{{/* Combinations of values that cannot work, each rejected with one sentence that says what to do. */}}
{{- define "memoryguard.checks" -}}
{{- $values := .Values -}}
{{- range $variable := list "DATABASE_URL" "DATABASE_DIRECT_URL" "BROKER_URL" "CELERY_BROKER_URL" "CELERY_RESULT_BACKEND" -}}
{{- $url := get $values.config $variable -}}
{{- if and $url (hasKey $values.secrets $variable) -}}
{{- fail (printf "config.%s and secrets.%s are both set: remove one of them." $variable $variable) -}}
{{- end -}}
{{- if regexMatch "^[^/]+//[^/@]*:[^/@]*@" (toString $url) -}}
{{- fail (printf "config.%s must hold no password: put the password into a Secret and name it in secrets.%s, or the whole URL into one and name it in secrets.%s." $variable (ternary "BROKER_PASSWORD" "DATABASE_PASSWORD" (eq $variable "BROKER_URL")) $variable) -}}
{{- end -}}
{{- end -}}
{{- include "memoryguard.checkServer" (list $values "postgresql" "DATABASE" "PostgreSQL") -}}
{{- include "memoryguard.checkServer" (list $values "redis" "BROKER" "Redis") -}}
{{- if not (or $values.config.DATABASE_URL $values.secrets.DATABASE_URL $values.postgresql.bundled) -}}
{{- fail "The database is missing: set config.DATABASE_URL (without a password) and secrets.DATABASE_PASSWORD, or secrets.DATABASE_URL, or postgresql.bundled=true for trying it." -}}
{{- end -}}
{{- if and $values.config.DATABASE_URL (not $values.secrets.DATABASE_PASSWORD) -}}
{{- fail "secrets.DATABASE_PASSWORD is missing: make a Secret with `kubectl create secret generic memoryguard-database --from-file=password=FILE` and set secrets.DATABASE_PASSWORD to {name: memoryguard-database, key: password}." -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.host) -}}
{{- fail "ingress.host is missing: set the host name under which browsers and callers reach the api, or ingress.enabled=false." -}}
{{- end -}}
{{- include "memoryguard.checkWorkers" . -}}
{{- end -}}

{{/* list values "redis" "BROKER" "Redis" */}}
{{- define "memoryguard.checkServer" -}}
{{- $values := index . 0 -}}
{{- $url := printf "%s_URL" (index . 2) -}}
{{- if and (get (get $values (index . 1)) "bundled") (or (hasKey $values.config $url) (hasKey $values.secrets $url)) -}}
{{- fail (printf "%s.bundled=true runs a %s of the chart, but %s names another one: remove one of them." (index . 1) (index . 3) $url) -}}
{{- end -}}
{{- end -}}

{{- define "memoryguard.checkWorkers" -}}
{{- $keda := .Values.keda -}}
{{- $enabled := 0 -}}
{{- $least := 0 -}}
{{- range $queue, $worker := .Values.workers -}}
{{- if $worker.enabled -}}
{{- $enabled = add $enabled 1 -}}
{{- $least = add $least $worker.minReplicas -}}
{{- if gt (int $worker.minReplicas) (int $worker.maxReplicas) -}}
{{- fail (printf "workers.%s.minReplicas must be at most its maxReplicas (%d), not %d." $queue (int $worker.maxReplicas) (int $worker.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $enabled -}}
{{- fail "No worker is enabled, so that no task would run: set workers.<queue>.enabled=true for at least one queue." -}}
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
