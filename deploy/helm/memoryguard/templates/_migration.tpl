{{/* What the Job of the migration does: list root isHook. */}}
{{- define "memoryguard.migration" -}}
{{- $root := index . 0 -}}
{{- $isHook := index . 1 -}}
{{- $migration := $root.Values.migration -}}
backoffLimit: {{ $migration.backoffLimit }}
activeDeadlineSeconds: {{ $migration.activeDeadlineSeconds }}
ttlSecondsAfterFinished: {{ $migration.ttlSecondsAfterFinished }}
template:
  metadata:
    labels: {{- include "memoryguard.labels" (list $root "migration") | nindent 6 }}
  spec:
    # Pods of failed attempts stay, with their logs.
    restartPolicy: Never
    automountServiceAccountToken: false
    enableServiceLinks: false
    {{- include "memoryguard.dns" $root | nindent 4 }}
    {{- include "memoryguard.pullSecrets" $root | nindent 4 }}
    {{- include "memoryguard.podSecurityContext" 10001 | nindent 4 }}
    containers:
      - name: migrate
        image: {{ include "memoryguard.image" $root | quote }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy | quote }}
        args: [migrate]
        {{- include "memoryguard.containerSecurityContext" $root | nindent 8 }}
        {{- if not $isHook }}
        envFrom:
          - configMapRef: { name: {{ include "memoryguard.fullname" $root | quote }} }
        {{- end }}
        env:
          {{- include "memoryguard.env" (list $root "migration") | nindent 10 }}
          {{- if $isHook }}
          {{- /* The ConfigMap of this release is not there yet. */}}
          {{- range $variable, $value := include "memoryguard.config" $root | fromYaml }}
          - { name: {{ $variable }}, value: {{ include "memoryguard.text" $value }} }
          {{- end }}
          {{- end }}
        resources: {{- toYaml $migration.resources | nindent 10 }}
        volumeMounts: {{- include "memoryguard.volumeMounts" (list $root "migration") | nindent 10 }}
    volumes: {{- include "memoryguard.volumes" (list $root "migration") | nindent 6 }}
{{- end -}}
