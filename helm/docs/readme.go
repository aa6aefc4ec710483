package main

import (
	"fmt"
	"strings"
)

const preface = `# search-indexer: the Helm chart

<!-- Written by ` + "`make docs`" + ` from the comments of values.yaml; change these, not this page. -->

It installs the workers, and around them, as you like: setup before each install and
upgrade, a rebuild ready to start, purge and verify by the clock, metrics, alerts,
dashboard, disruption budget, network policy, scaling by lag, and topics and user for
Strimzi. Kubernetes 1.27 or later. No object has any right in the cluster.

` + "```sh" + `
helm install search-indexer helm/search-indexer --namespace search --create-namespace \
  --set config.KAFKA_BROKERS=kafka-1:9092 --set config.OPENSEARCH_URLS=https://search:9200
` + "```" + `

Value files to start from are in [examples](examples); what each setting means is in
docs/configuration.md, how to run it in docs/operations.md.

## Settings and secrets

Every setting of the program is a member of ` + "`config`" + ` by its own name. Secrets and
certificates come from Secrets and ConfigMaps that exist already:

` + "```yaml" + `
config:
  KAFKA_BROKERS: [kafka-1:9093, kafka-2:9093]
  KAFKA_SECURITY_PROTOCOL: SASL_SSL
  KAFKA_SASL_MECHANISM: SCRAM-SHA-512
  KAFKA_SASL_USERNAME: indexer-run
files:
  KAFKA_SASL_PASSWORD_FILE: {secret: kafka-login, key: password}
  KAFKA_CA_FILE: {configMap: kafka-ca, key: ca.crt}
` + "```" + `

They are mounted as files and read again when they change, so a rotation needs no
restart. Each workload has ` + "`config` and `files`" + ` of its own over these: setup, purge and
rebuild need other rights than the workers (docs/security.md).

## Rebuild, purge, verify

` + "```sh" + `
kubectl create job --from=cronjob/search-indexer-rebuild rebuild-1
kubectl logs --follow job/rebuild-1
` + "```" + `

Give ` + "`rebuild.disk`" + ` twice the bytes of all documents. Without a storage class it is the
disk of the node. A pod that is moved with its node begins anew. How to give flags for
one time: docs/operations.md (Install).

## Changes of configuration

Settings stand in the pods' own environment, so a change of one is a rollout of what it
concerns, and a rollback of the Deployment brings the old ones back. A change of
` + "`templates`" + ` is one by its checksum (` + "`checksum/config`" + `). A change of a Secret that
` + "`files`" + ` names needs none: it is read again.

## Rollouts

The strategy starts all new workers before the old ones go: joining and leaving cost the
group one rebalance each, whatever the number of workers. Kubernetes waits for
` + "`SHUTDOWN_TIMEOUT`" + ` and 15 s before it kills one.

## Values

| value | default | meaning |
| --- | --- | --- |
`

// readme is the chart's README.
func readme(entries []entry) string {
	var b strings.Builder
	b.WriteString(preface)
	cell := strings.NewReplacer("|", `\|`)
	for _, e := range entries {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", e.path, cell.Replace(e.fallback), cell.Replace(e.text))
	}
	return b.String()
}
