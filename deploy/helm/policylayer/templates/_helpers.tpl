{{- define "policylayer.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "policylayer.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "policylayer.labels" -}}
{{ include "policylayer.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "policylayer.image" -}}
{{- $one := index .root.Values.images .image -}}
image: {{ printf "%s:%s" $one.repository (.root.Values.images.tag | default .root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
{{- end -}}

{{- define "policylayer.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "policylayer.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "policylayer.selector" . | nindent 8 }}
{{- end -}}

{{- define "policylayer.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* A pod that ends is sent connections until everybody has heard of it: so long it goes on accepting them. */}}
{{- define "policylayer.leave" -}}
lifecycle: { preStop: { exec: { command: [sleep, "5"] } } }
{{- end -}}

{{/* Settings out of the process's own Secret, each by its name: nothing else of it is seen. */}}
{{- define "policylayer.secrets" -}}
{{- $secret := .secret -}}
{{- range .names }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ . }} } }
{{- end }}
{{- range .optional }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $secret }}, key: {{ . }}, optional: true } }
{{- end }}
{{- end -}}

{{- define "policylayer.django" -}}
- { name: DJANGO_SETTINGS_MODULE, value: config.settings.prod }
- { name: PUBLIC_URL, value: {{ .Values.publicUrl | quote }} }
- { name: GATEWAY_PUBLIC_URL, value: {{ .Values.gatewayPublicUrl | quote }} }
- { name: LOG_LEVEL, value: {{ .Values.settings.logLevel | quote }} }
{{- end -}}

{{- define "policylayer.egress" -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- { name: EGRESS_ALLOW_PRIVATE, value: {{ join "," .root.Values.settings.egressAllowPrivate | quote }} }
- { name: OWN_LISTENERS, value: {{ join "," (concat .own .root.Values.settings.ownListeners) | quote }} }
{{- end -}}

{{- define "policylayer.metrics" -}}
- { name: METRICS_HOST, value: "$(POD_IP)" }
- { name: METRICS_PORT, value: {{ . | quote }} }
{{- end -}}

{{- define "policylayer.metricsFrom" -}}
{{- with .root.Values.networkPolicy.metricsFrom }}
{{- if $.port }}
- ports: [{ port: {{ int $.port }}, protocol: TCP }]
  from: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "policylayer.scratch" -}}
- { name: data, emptyDir: { sizeLimit: 256Mi } }
- { name: tmp, emptyDir: { sizeLimit: 256Mi } }
{{- end -}}

{{- define "policylayer.scratchMounts" -}}
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
{{- end -}}

{{/* What the network policies are made of. */}}
{{- define "policylayer.place" -}}
- ports: [{ port: {{ .port }}, protocol: TCP }]
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "policylayer.names" -}}
- ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- end -}}

{{- define "policylayer.outside" -}}
- to:
    - ipBlock: { cidr: 0.0.0.0/0, except: {{ toJson .Values.networkPolicy.privateNetworks }} }
    {{- range .Values.settings.egressAllowPrivate }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
{{- end -}}

{{- define "policylayer.part" -}}
podSelector:
  matchLabels: {{- include "policylayer.selector" . | nindent 4 }}
{{- end -}}

