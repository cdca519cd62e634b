{{/* What a bundled server has beside its containers: list root "postgresql" port. */}}
{{- define "memoryguard.server" -}}
{{- $root := index . 0 -}}
{{- $server := index . 1 -}}
{{- $name := printf "%s-%s" (include "memoryguard.fullname" $root) $server -}}
{{- $values := get $root.Values $server -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ $name | quote }}
  labels: {{- include "memoryguard.labels" (list $root $server) | nindent 4 }}
  annotations: { helm.sh/resource-policy: keep }
spec:
  accessModes: [ReadWriteOnce]
  {{- with $values.storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources: { requests: { storage: {{ $values.storage | quote }} } }
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name | quote }}
  labels: {{- include "memoryguard.labels" (list $root $server) | nindent 4 }}
spec:
  selector: {{- include "memoryguard.selector" (list $root $server) | nindent 4 }}
  ports:
    - { name: {{ $server }}, port: {{ index . 2 }}, targetPort: {{ $server }} }
{{- end -}}
