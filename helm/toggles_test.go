package helm_test

import (
	"slices"
	"strconv"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// toggles are the values that add, remove or change objects. Each has its ways.
func toggles() [][]string {
	return [][]string{
		{"{}", "fullnameOverride: demo-long-name-of-a-release-that-goes-on-and-on", "nameOverride: demo-indexer", "commonLabels: {team: search}"},
		{"{}", `image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`, "image: {tag: edge, pullPolicy: Always}", "imagePullSecrets: [{name: registry}]"},
		{"{}", "config: {KAFKA_SECURITY_PROTOCOL: SASL_SSL, KAFKA_SASL_MECHANISM: SCRAM-SHA-512, KAFKA_SASL_USERNAME: u}", "config: {KAFKA_SECURITY_PROTOCOL: SSL}", "config: {KAFKA_TOPICS: [post.updated, Post_New], KAFKA_TOPIC_PREFIX: a-}", "config: {REDIS_URL: null}"},
		{"{}", "files: {KAFKA_SASL_PASSWORD_FILE: {secret: s, key: k}, KAFKA_CA_FILE: {configMap: c, key: k}}", "files: {REDIS_URL_FILE: {secret: s, key: k}, KAFKA_CERT_FILE: {secret: s, key: c}, KAFKA_KEY_FILE: {secret: s, key: k}}"},
		{"{}", `templates: {post.json: "{}", artist.json: "{}"}`},
		{"{}", "topics: {retention: 8760h, partitions: 1, replicationFactor: 1}"},
		{"{}", "worker: {replicas: 20}", "worker: {terminationGracePeriodSeconds: 60, topologySpreadConstraints: []}", "worker: {strategy: {type: Recreate}}", "worker: {config: {LOG_LEVEL: debug}, files: {ADMIN_TOKEN_FILE: {secret: s, key: k}}, podLabels: {a: b}, podAnnotations: {c: d}}"},
		{"{}", "setup: {enabled: false}", "setup: {hook: post-install, args: [--verbose]}"},
		{"{}", "rebuild: {enabled: false}", "rebuild: {disk: {storageClassName: fast}}", "rebuild: {disk: {existingClaim: claim}, args: [--keep=2], activeDeadlineSeconds: 3600}"},
		{"{}", "purge: {enabled: true}", "purge: {enabled: true, suspend: true, timeZone: UTC}"},
		{"{}", "verify: {enabled: true}", "verify: {enabled: true, args: [--repair], disk: {storageClassName: fast}}"},
		{"{}", "serviceAccount: {create: false}", "serviceAccount: {create: false, name: theirs}", "serviceAccount: {annotations: {role: r}}"},
		{"{}", "env: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}]", "volumes: [{name: more, emptyDir: {}}]\nvolumeMounts: [{name: more, mountPath: /more}]", "sidecars: [{name: proxy, image: proxy}]"},
		{"{}", "nodeSelector: {a: b}", "tolerations: [{operator: Exists}]\naffinity: {podAntiAffinity: {}}\npriorityClassName: high"},
		{"{}", "metrics: {serviceMonitor: {enabled: true}}", "metrics: {serviceMonitor: {enabled: true, labels: {a: b}, relabelings: [{action: labeldrop, regex: pod}]}}"},
		{"{}", "metrics: {prometheusRule: {enabled: true}}"},
		{"{}", "metrics: {dashboard: {enabled: true}}"},
		{"{}", "podDisruptionBudget: {enabled: false}", "podDisruptionBudget: {maxUnavailable: 50%}"},
		{"{}", "networkPolicy: {enabled: true}", "networkPolicy: {enabled: true, ingressFrom: [], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}"},
		{"{}", "keda: {enabled: true}", "keda: {enabled: true, maxReplicas: 5, authenticationRef: theirs, triggerMetadata: {version: 2.5.0}}"},
		{"{}", "strimzi: {cluster: c, topics: {enabled: true}}", "strimzi: {cluster: c, namespace: kafka, user: {enabled: true, authentication: tls}, apiVersion: kafka.strimzi.io/v1beta2}"},
		{"{}", "service: {type: LoadBalancer, annotations: {a: b}}", "port: 9000"},
	}
}

// pair is a way of one toggle together with a way of another.
type pair struct{ toggle, way, other, otherWay int }

// rows chooses a way of every toggle, in as many rows as it takes for each pair of ways
// to stand together in one: what goes wrong mostly takes two values to go wrong.
func rows(ways [][]string) (chosen [][]int) {
	var open []pair
	for i := range ways {
		for a := range ways[i] {
			for j := i + 1; j < len(ways); j++ {
				for b := range ways[j] {
					open = append(open, pair{i, a, j, b})
				}
			}
		}
	}
	covers := func(row []int, p pair) bool { return row[p.toggle] == p.way && row[p.other] == p.otherWay }
	for len(open) > 0 {
		row := make([]int, len(ways))
		for k := range row {
			row[k] = -1
		}
		row[open[0].toggle], row[open[0].other] = open[0].way, open[0].otherWay
		for k := range row {
			if row[k] < 0 {
				row[k] = best(row, k, len(ways[k]), open, covers)
			}
		}
		chosen = append(chosen, row)
		open = slices.DeleteFunc(open, func(p pair) bool { return covers(row, p) })
	}
	return chosen
}

// best returns the way of toggle k that covers most of the open pairs.
func best(row []int, k, ways int, open []pair, covers func([]int, pair) bool) int {
	way, most := 0, -1
	for w := range ways {
		row[k] = w
		count := 0
		for _, p := range open {
			if (p.toggle == k || p.other == k) && covers(row, p) {
				count++
			}
		}
		if count > most {
			way, most = w, count
		}
	}
	return way
}

// TestTogglesPairwise renders rows in which each way of each toggle stands together
// with each way of every other, decodes every object strictly and tries what a cluster
// would refuse.
func TestTogglesPairwise(t *testing.T) {
	ways := toggles()
	for n, row := range rows(ways) {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			given := values{}
			for k, way := range row {
				given = loader.MergeMaps(given, parse(t, ways[k][way]))
			}
			checkObjects(t, objects(t, given))
			if t.Failed() {
				t.Logf("with %v", given)
			}
		})
	}
}

// TestTogglesDiffer holds that each way of a toggle changes what is rendered.
func TestTogglesDiffer(t *testing.T) {
	plain := manifest(t, objects(t, values{}))
	for _, ways := range toggles() {
		for _, way := range ways[1:] {
			if manifest(t, objects(t, parse(t, way))) == plain {
				t.Errorf("%s changes nothing", way)
			}
		}
	}
}
