{{/* Ports of URLs with one or more hosts each, and the default one, which nodes of a cluster have: list urls default. */}}
{{- define "memoryguard.ports" -}}
{{- $ports := list (index . 1) -}}
{{- range $url := index . 0 -}}
{{- $hosts := regexReplaceAll "^[^/]*//([^/@]*@)?" (toString $url) "" | regexFind "^[^/?#]*" -}}
{{- range regexFindAll ":[0-9]+" $hosts -1 -}}{{- $ports = append $ports (trimPrefix ":" . | int) -}}{{- end -}}
{{- end -}}
{{- range $port := uniq $ports }}
- { protocol: TCP, port: {{ $port }} }
{{- end }}
{{- end -}}

{{/* A rule for egress: list peers urls default. Without peers anywhere. */}}
{{- define "memoryguard.egress" -}}
- ports: {{- include "memoryguard.ports" (list (index . 1) (index . 2)) | nindent 4 }}
  {{- with index . 0 }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Pods of ours that use database and broker. */}}
{{- define "memoryguard.clients" -}}
matchLabels:
  app.kubernetes.io/name: {{ include "memoryguard.name" . }}
  app.kubernetes.io/instance: {{ .Release.Name }}
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
