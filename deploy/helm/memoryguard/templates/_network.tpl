{{/*
Ports that a URL leads to, as YAML: list "BROKER_URL" url "networkPolicy.brokerPorts". Sentinels name a master, and members of a
cluster each other, on the default port. Hosts in keywords or in options of libpq are not read.
*/}}
{{- define "memoryguard.urlPorts" -}}
{{- $url := toString (index . 1) -}}
{{- $scheme := regexFind "^[A-Za-z+]+://" $url | lower | trimSuffix "://" | replace "rediss" "redis" | replace "postgresql" "postgres" -}}
{{- $default := get (dict "postgres" 5432 "redis" 6379 "redis+cluster" 6379 "redis+sentinel" 26379 "http" 80 "https" 443) $scheme -}}
{{- $rest := regexReplaceAll "^[^:]*://" $url "" -}}
{{- $hosts := regexReplaceAll "^.*@" (regexFind "^[^/?#]*" $rest) "" -}}
{{- $ports := ternary (list 6379) list (contains "+" $scheme) -}}
{{- $isClear := and $default (not (regexMatch "[?&](host|hostaddr|port)=" $rest)) -}}
{{- range $host := splitList "," $hosts -}}
{{- if not (regexMatch `^(\[[^\]]+\]|[^:\[\]]*)(:[0-9]*)?$` $host) -}}{{- $isClear = false -}}{{- end -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" (regexReplaceAll `^\[.*\]` $host "") | trimPrefix ":" | default $default | int) -}}
{{- end -}}
{{- if not $isClear -}}
{{- include "memoryguard.checkUrl" (list (index . 0) $url) -}}
{{- fail (printf "config.%s names its hosts in a form from which no ports can be read for the network policy: write it as a URL with host:port, or set %s." (index . 0) (index . 2)) -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/*
A rule for egress to the servers of some settings: list root variables "database" peers defaults. Its ports are those of the
value for them, or those of the URLs, or the default ones where a Secret holds a URL. Without peers anywhere.
*/}}
{{- define "memoryguard.egress" -}}
{{- $root := index . 0 -}}
{{- $value := printf "%sPorts" (index . 2) -}}
{{- $defaults := index . 4 -}}
{{- $config := include "memoryguard.config" $root | fromYaml -}}
{{- $secrets := include "memoryguard.secrets" $root | fromYaml -}}
{{- $ports := get $root.Values.networkPolicy $value | default list -}}
{{- if not $ports -}}
{{- range $variable := index . 1 -}}
{{- $url := get $config $variable -}}
{{- if $url -}}{{- $ports = concat $ports (include "memoryguard.urlPorts" (list $variable $url (printf "networkPolicy.%s" $value)) | fromYamlArray) -}}
{{- else if hasKey $secrets $variable -}}{{- $ports = concat $ports $defaults -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $ports -}}
{{- include "memoryguard.egressRule" (list $ports (index . 3)) -}}
{{- end -}}
{{- end -}}

{{/* list ports peers */}}
{{- define "memoryguard.egressRule" -}}
- ports:
    {{- range $port := index . 0 | uniq }}
    - { protocol: TCP, port: {{ $port }} }
    {{- end }}
  {{- with index . 1 }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Pods of ours that use database and broker. */}}
{{- define "memoryguard.clients" -}}
matchLabels:
  app.kubernetes.io/name: {{ include "memoryguard.name" . | quote }}
  app.kubernetes.io/instance: {{ .Release.Name | quote }}
matchExpressions:
  - { key: app.kubernetes.io/component, operator: NotIn, values: [postgresql, redis] }
{{- end -}}

{{/* Peers of a server: those given, or the pods of the bundled one: list root "postgresql" peers. */}}
{{- define "memoryguard.peers" -}}
{{- $root := index . 0 -}}
{{- if get (get $root.Values (index . 1)) "bundled" -}}
- podSelector: { matchLabels: {{ include "memoryguard.selector" (list $root (index . 1)) | fromYaml | toJson }} }
{{- else -}}
{{- toYaml (index . 2) -}}
{{- end -}}
{{- end -}}
