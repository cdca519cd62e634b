{{- define "memoryguard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The first part of every name: the release, unless it is called after the chart. */}}
{{- define "memoryguard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "memoryguard.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "memoryguard.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that find the pods of one part: list root "component". */}}
{{- define "memoryguard.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "memoryguard.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "memoryguard.labels" -}}
{{- $root := index . 0 -}}
{{ include "memoryguard.selector" . }}
app.kubernetes.io/part-of: memoryguard
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "memoryguard.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The api's image: that of all, or an older one while the workers are replaced first. */}}
{{- define "memoryguard.apiImage" -}}
{{- with .Values.api.imageTag -}}
{{- printf "%s:%s" $.Values.image.repository . -}}
{{- else -}}
{{- include "memoryguard.image" . -}}
{{- end -}}
{{- end -}}

{{/* Settings of all processes, as YAML: those of config and those that other values imply. */}}
{{- define "memoryguard.config" -}}
{{- $implied := dict -}}
{{- if .Values.postgresql.bundled -}}
{{- $_ := set $implied "DATABASE_URL" (printf "postgresql://memoryguard@%s-postgresql:5432/memoryguard" (include "memoryguard.fullname" .)) -}}
{{- end -}}
{{- if .Values.redis.bundled -}}
{{- $_ := set $implied "BROKER_URL" (printf "redis://%s-redis:6379/0" (include "memoryguard.fullname" .)) -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- $_ := set $implied "PUBLIC_URL" (printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tlsSecret))) (default "" .Values.ingress.host)) -}}
{{- end -}}
{{- merge (deepCopy (.Values.config | default dict)) $implied | toYaml -}}
{{- end -}}

{{/* Secrets by the setting that each is for, as YAML: those given and those that the chart makes. */}}
{{- define "memoryguard.secrets" -}}
{{- $name := include "memoryguard.fullname" . -}}
{{- $made := dict "ADMIN_API_KEY" (dict "name" (printf "%s-admin" $name) "key" "key") -}}
{{- if .Values.postgresql.bundled -}}
{{- $_ := set $made "DATABASE_PASSWORD" (dict "name" (printf "%s-postgresql" $name) "key" "password") -}}
{{- end -}}
{{- if .Values.redis.bundled -}}
{{- $_ := set $made "BROKER_PASSWORD" (dict "name" (printf "%s-redis" $name) "key" "password") -}}
{{- end -}}
{{- merge (deepCopy (.Values.secrets | default dict)) $made | toYaml -}}
{{- end -}}

{{/* The secrets that one part needs: list root "component". Only the api signs people in. */}}
{{- define "memoryguard.secretsOf" -}}
{{- $secrets := include "memoryguard.secrets" (index . 0) | fromYaml -}}
{{- if ne (index . 1) "api" -}}{{- $secrets = omit $secrets "ADMIN_API_KEY" "OIDC_CLIENT_SECRET" -}}{{- end -}}
{{- if eq (index . 1) "migration" -}}{{- $secrets = pick $secrets "DATABASE_URL" "DATABASE_DIRECT_URL" "DATABASE_PASSWORD" "BROKER_URL" "BROKER_PASSWORD" "BROKER_SENTINEL_PASSWORD" -}}{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* A value as the text of an environment variable; Helm reads whole numbers as floating ones. */}}
{{- define "memoryguard.text" -}}
{{- if kindIs "string" . -}}{{- . | quote -}}{{- else -}}{{- toJson . | quote -}}{{- end -}}
{{- end -}}

{{- define "memoryguard.podSecurityContext" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "memoryguard.containerSecurityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* Environment that every process of ours has: list root "component". */}}
{{- define "memoryguard.env" -}}
{{- $root := index . 0 -}}
- { name: HOST, value: 0.0.0.0 }
- { name: MEMORYGUARD_HOME, value: /tmp/memoryguard }
{{- if $root.Values.models.persistentVolumeClaim }}
- { name: MODELS_DIR, value: /models }
{{- end }}
{{- if $root.Values.certificates.configMap }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/memoryguard/certificates/ca.crt }
{{- end }}
{{- range $variable, $secret := include "memoryguard.secretsOf" . | fromYaml }}
- { name: {{ $variable }}_FILE, value: {{ printf "/etc/memoryguard/%s/%s" (include "memoryguard.volumeName" $variable) $secret.key }} }
{{- end }}
{{- end -}}

{{- define "memoryguard.volumeName" -}}
{{- . | lower | replace "_" "-" -}}
{{- end -}}

{{- define "memoryguard.volumeMounts" -}}
{{- $root := index . 0 -}}
- { name: tmp, mountPath: /tmp }
{{- if $root.Values.models.persistentVolumeClaim }}
- { name: models, mountPath: /models, readOnly: true }
{{- end }}
{{- if $root.Values.certificates.configMap }}
- { name: certificates, mountPath: /etc/memoryguard/certificates, readOnly: true }
{{- end }}
{{- range $variable, $_ := include "memoryguard.secretsOf" . | fromYaml }}
{{- $volume := include "memoryguard.volumeName" $variable }}
- { name: {{ $volume }}, mountPath: /etc/memoryguard/{{ $volume }}, readOnly: true }
{{- end }}
{{- end -}}

{{- define "memoryguard.volumes" -}}
{{- $root := index . 0 -}}
- { name: tmp, emptyDir: { sizeLimit: 1Gi } }
{{- if $root.Values.models.persistentVolumeClaim }}
- name: models
  persistentVolumeClaim: { claimName: {{ $root.Values.models.persistentVolumeClaim | quote }}, readOnly: true }
{{- end }}
{{- with $root.Values.certificates }}
{{- if .configMap }}
- name: certificates
  configMap:
    name: {{ .configMap | quote }}
    items: [{ key: {{ .key | quote }}, path: ca.crt }]
{{- end }}
{{- end }}
{{- range $variable, $secret := include "memoryguard.secretsOf" . | fromYaml }}
- name: {{ include "memoryguard.volumeName" $variable }}
  secret:
    secretName: {{ $secret.name | quote }}
    defaultMode: 288 # 0440
    items: [{ key: {{ $secret.key | quote }}, path: {{ $secret.key | quote }} }]
{{- end }}
{{- end -}}

{{/* Spread over machines and zones, as far as there are some: list root "component". */}}
{{- define "memoryguard.spread" -}}
topologySpreadConstraints:
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "memoryguard.selector" $ | nindent 8 }}
{{- end }}
{{- end -}}

{{/* Where pods of one part may run: list root values "component". */}}
{{- define "memoryguard.scheduling" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
{{- include "memoryguard.spread" (list $root (index . 2)) }}
affinity:
{{- with $values.affinity }}
{{- toYaml . | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "memoryguard.selector" (list $root (index . 2)) | nindent 14 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A process cannot end while it looks up a name: by default that takes half a minute where DNS does not respond. */}}
{{- define "memoryguard.dns" -}}
dnsConfig:
  options:
    - { name: timeout, value: '1' }
    - { name: attempts, value: '2' }
    - { name: ndots, value: '2' }
{{- end -}}

{{- define "memoryguard.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Probes: list port startSeconds. A start waits for the database and for the migration, unready and alive, however long
they take: so the startup probe asks only whether the process is there.
*/}}
{{- define "memoryguard.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
