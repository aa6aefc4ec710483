{{/* Names. A CronJob's may have 52 characters, and "-rebuild" comes behind. */}}
{{- define "search-indexer.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "search-indexer.fullname" -}}
{{- $name := include "search-indexer.name" . -}}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $release | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "search-indexer.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "search-indexer.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Labels. */}}
{{- define "search-indexer.selector" -}}
app.kubernetes.io/name: {{ include "search-indexer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "search-indexer.labels" -}}
{{ include "search-indexer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A value as the text of an environment variable: numbers come as floats from Helm,
lists are joined by commas, maps become name=value. */}}
{{- define "search-indexer.text" -}}
{{- if kindIs "float64" . -}}
{{- int64 . -}}
{{- else if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $name, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $name (include "search-indexer.text" $value)) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Seconds of a Go duration, rounded up: 1m30s is 90. */}}
{{- define "search-indexer.seconds" -}}
{{- $text := toString . -}}
{{- $total := 0.0 -}}
{{- range $unit, $length := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 -}}
{{- range regexFindAll (printf "[0-9.]+%s([^a-z]|$)" $unit) $text -1 -}}
{{- $total = addf $total (mulf (regexFind "^[0-9.]+" . | float64) $length) -}}
{{- end -}}
{{- end -}}
{{- ceil $total | int -}}
{{- end -}}

{{/* Settings and files of a workload: its own over those of all. Both return YAML. */}}
{{- define "search-indexer.config" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.config) (deepCopy .own.config)) -}}
{{- end -}}

{{- define "search-indexer.files" -}}
{{- $files := deepCopy .root.Values.files -}}
{{- range $name, $file := .own.files -}}
{{- $_ := set $files $name $file -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{/* One setting as the workers have it. Given: root, name, default. */}}
{{- define "search-indexer.setting" -}}
{{- $config := include "search-indexer.config" (dict "root" .root "own" .root.Values.worker) | fromYaml -}}
{{- include "search-indexer.text" (get $config .name | default .default) -}}
{{- end -}}

{{/* The names of the topics of events, as a list in YAML. */}}
{{- define "search-indexer.topics" -}}
{{- $default := "post.created,post.updated,post.deleted,artist.created,artist.updated,artist.deleted" -}}
{{- $prefix := include "search-indexer.setting" (dict "root" . "name" "KAFKA_TOPIC_PREFIX" "default" "") -}}
{{- range splitList "," (include "search-indexer.setting" (dict "root" . "name" "KAFKA_TOPICS" "default" $default)) }}
- {{ printf "%s%s" $prefix (trim .) | quote }}
{{- end }}
{{- end -}}

{{- define "search-indexer.gracePeriod" -}}
{{- $drain := include "search-indexer.seconds" (include "search-indexer.setting" (dict "root" . "name" "SHUTDOWN_TIMEOUT" "default" "25s")) | int -}}
{{- $grace := .Values.worker.terminationGracePeriodSeconds | default (add $drain 15) | int -}}
{{- if lt $grace (add $drain 5 | int) -}}
{{- fail (printf "worker.terminationGracePeriodSeconds is %d: give SHUTDOWN_TIMEOUT (%d s) at least 5 s more" $grace $drain) -}}
{{- end -}}
{{- $grace -}}
{{- end -}}
