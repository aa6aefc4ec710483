{{/* The environment of a container. A file stands in for the setting of its name. */}}
{{- define "search-indexer.env" -}}
{{- $files := include "search-indexer.files" . | fromYaml -}}
{{- $config := include "search-indexer.config" . | fromYaml -}}
{{- /* Not by the schema: its message would show the password. */}}
{{- if contains "@" ($config.REDIS_URL | default "") }}
{{- fail "config.REDIS_URL holds a login: put the address into a Secret, and name that in files.REDIS_URL_FILE" }}
{{- end }}
{{- range $name, $value := $config }}
{{- if not (or (kindIs "invalid" $value) (hasKey $files (printf "%s_FILE" $name))) }}
- name: {{ $name }}
  value: {{ include "search-indexer.text" $value | quote }}
{{- end }}
{{- end }}
{{- range $name, $_ := $files }}
- name: {{ $name }}
  value: /etc/search-indexer/files/{{ $name }}
{{- end }}
{{- if .root.Values.templates }}
- name: OPENSEARCH_TEMPLATE_DIR
  value: /etc/search-indexer/templates
{{- end }}
{{- if .own.disk }}
- name: FOLD_DIR
  value: /var/lib/search-indexer
{{- end }}
{{- end -}}

{{/* Files in one volume, whose content follows the Secrets (a subPath would not). */}}
{{- define "search-indexer.volumes" -}}
{{- $files := include "search-indexer.files" . | fromYaml -}}
{{- if $files }}
- name: files
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $file := $files }}
      - {{ ternary "secret" "configMap" (hasKey $file "secret") }}:
          name: {{ $file.secret | default $file.configMap }}
          items:
            - {key: {{ $file.key | quote }}, path: {{ $name }}}
      {{- end }}
{{- end }}
{{- if .root.Values.templates }}
- name: templates
  configMap:
    name: {{ include "search-indexer.fullname" .root }}{{ if eq .component "setup" }}-setup{{ end }}-templates
{{- end }}
{{- with .own.disk }}
- name: fold
  {{- if .existingClaim }}
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
  {{- else if .storageClassName }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: {{ .storageClassName }}
        resources:
          requests:
            storage: {{ .size }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .size }}
  {{- end }}
{{- end }}
{{- with .root.Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "search-indexer.mounts" -}}
{{- if include "search-indexer.files" . | fromYaml }}
- {name: files, mountPath: /etc/search-indexer/files, readOnly: true}
{{- end }}
{{- if .root.Values.templates }}
- {name: templates, mountPath: /etc/search-indexer/templates, readOnly: true}
{{- end }}
{{- if .own.disk }}
- {name: fold, mountPath: /var/lib/search-indexer}
{{- end }}
{{- with .root.Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The image by digest, else by tag. */}}
{{- define "search-indexer.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Working files on the node's own disk are asked for, so that the scheduler finds room. */}}
{{- define "search-indexer.resources" -}}
{{- $resources := deepCopy (.own.resources | default dict) -}}
{{- with .own.disk -}}
{{- if not (or .existingClaim .storageClassName) -}}
{{- $requests := mergeOverwrite (dict "ephemeral-storage" .size) ($resources.requests | default dict) -}}
{{- $_ := set $resources "requests" $requests -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* A container. Given: root, component, own (the workload's values), args. */}}
{{- define "search-indexer.container" -}}
name: indexer
image: {{ include "search-indexer.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
{{- with include "search-indexer.env" . }}
env:
  {{- . | nindent 2 }}
  {{- with $.env }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $.root.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with include "search-indexer.mounts" . }}
volumeMounts:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "search-indexer.resources" . }}
resources:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- end -}}

{{/* What the pods of all workloads have in common. */}}
{{- define "search-indexer.podSpec" -}}
serviceAccountName: {{ .serviceAccount | default (include "search-indexer.serviceAccount" .root) }}
# Nothing here talks to Kubernetes.
automountServiceAccountToken: false
# Else a Service called kafka or redis would add variables that look like settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "search-indexer.volumes" . }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "search-indexer.podMetadata" -}}
labels:
  {{- include "search-indexer.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or .own.podAnnotations .root.Values.templates }}
annotations:
  {{- with .root.Values.templates }}
  checksum/config: {{ toJson . | sha256sum }}
  {{- end }}
  {{- with .own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A Job's spec, the same for the hook and for all that CronJobs start. */}}
{{- define "search-indexer.jobSpec" -}}
backoffLimit: {{ int .own.backoffLimit }}
{{- with .own.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ int . }}
{{- end }}
{{- with .own.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ int . }}
{{- end }}
# A drained node is no failure. 2 (wrong settings) and 3 (verify found differences) do
# not get better by trying again.
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget}]
    - action: FailJob
      onExitCodes: {containerName: indexer, operator: In, values: [2, 3]}
template:
  metadata:
    {{- include "search-indexer.podMetadata" . | nindent 4 }}
  spec:
    restartPolicy: Never
    {{- include "search-indexer.podSpec" . | nindent 4 }}
    containers:
      - {{- include "search-indexer.container" . | nindent 8 }}
        {{- if .port }}
        ports:
          - {name: http, containerPort: {{ .root.Values.port }}}
        {{- end }}
{{- end -}}

{{/* A CronJob. Given: root, component, own, args, schedule, suspend, port. */}}
{{- define "search-indexer.cronJob" -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "search-indexer.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "search-indexer.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  schedule: {{ .schedule | quote }}
  {{- with .own.timeZone }}
  timeZone: {{ . }}
  {{- end }}
  suspend: {{ .suspend }}
  # They share the lock, so a second one would only fail.
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels:
        {{- include "search-indexer.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
    spec:
      {{- include "search-indexer.jobSpec" . | nindent 6 }}
{{- end -}}
