package helm_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestReplicasAbovePartitions holds that more workers than partitions are told of.
func TestReplicasAbovePartitions(t *testing.T) {
	for given, want := range map[string]bool{
		"worker: {replicas: 12}":                           false,
		"worker: {replicas: 13}":                           true,
		"worker: {replicas: 13}\ntopics: {partitions: 13}": false,
		"keda: {enabled: true}":                            false,
		"keda: {enabled: true, maxReplicas: 40}":           true,
	} {
		_, notes, err := renderChart(parse(t, given))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(notes, "WARNING") && strings.Contains(notes, "partitions"); got != want {
			t.Errorf("%s: warned is %v:\n%s", given, got, notes)
		}
	}
}

// TestSharing holds that whoever runs several workers is told how they share topics,
// until they do.
func TestSharing(t *testing.T) {
	for given, want := range map[string]bool{
		"":                      true,
		"worker: {replicas: 1}": false,
		"worker: {replicas: 1}\nkeda: {enabled: true}":                                             true,
		"config: {KAFKA_OPTIONS: {group.protocol: consumer, group.remote.assignor: range}}":        false,
		"worker: {config: {KAFKA_OPTIONS: 'group.protocol=consumer,group.remote.assignor=range'}}": false,
		"config: {KAFKA_OPTIONS: {group.protocol: consumer}}":                                      true,
	} {
		_, notes, err := renderChart(parse(t, given))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(notes, "KAFKA_OPTIONS"); got != want {
			t.Errorf("%s: told is %v:\n%s", given, got, notes)
		}
	}
}

// TestAllAtOnce is the upgrade that docs/operations.md has for another group protocol.
func TestAllAtOnce(t *testing.T) {
	given := parse(t, "worker: {strategy: {type: Recreate, rollingUpdate: null}}")
	strategy := one[apps.Deployment](t, objects(t, given), "worker").Spec.Strategy
	if strategy.Type != apps.RecreateDeploymentStrategyType || strategy.RollingUpdate != nil {
		t.Errorf("strategy %v", strategy)
	}
}

// TestGracePeriod holds that Kubernetes waits for longer than the drain takes.
func TestGracePeriod(t *testing.T) {
	for timeout, want := range map[string]int64{
		"": 40, "25s": 40, "1s": 16, "1m30s": 105, "5m": 315, "1500ms": 17, "2m0.5s": 136, "0.1h": 375,
	} {
		given := values{}
		if timeout != "" {
			given["config"] = values{"SHUTDOWN_TIMEOUT": timeout}
		}
		if got := *one[apps.Deployment](t, objects(t, given), "worker").Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("SHUTDOWN_TIMEOUT=%s: %d s, want %d", timeout, got, want)
		}
	}
}

// TestEnvironmentOfOwn holds that a workload's own settings and files win over those
// of all, and touch no other workload.
func TestEnvironmentOfOwn(t *testing.T) {
	all := objects(t, readValues(t, chartDir+"/examples/secured.yaml"))
	for owner, user := range map[string]string{
		"Deployment demo-search-indexer": "indexer-run", "Job demo-search-indexer-setup": "indexer-setup", "CronJob demo-search-indexer-rebuild": "indexer-rebuild",
	} {
		found := false
		for _, p := range pods(all) {
			if p.owner != owner {
				continue
			}
			found = true
			text, err := json.Marshal(p.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), `"KAFKA_SASL_USERNAME","value":"`+user+`"`) || !strings.Contains(string(text), `{"name":"`+user+`","items":[{"key":"kafka","path":"KAFKA_SASL_PASSWORD_FILE"`) {
				t.Errorf("%s does not log in as %s with its password:\n%s", owner, user, text)
			}
		}
		if !found {
			t.Errorf("no %s", owner)
		}
	}
}

// TestKafkaUserHasTheLeastRights holds the rights of Strimzi's user to the table of
// docs/security.md: all of its commands but produce, and no more.
func TestKafkaUserHasTheLeastRights(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (`[a-z][^|]*) \\| ([A-Za-z, ]*) ?\\| ([A-Za-z, ]*) ?\\| ([A-Za-z, ]*) ?\\| ([A-Za-z, ]*) ?\\| [^|]*\\|$")
	places := []string{"post.updated", "search-indexer.dlq", "search-indexer.dlq.done", "search-indexer"}
	want := map[string]map[string]bool{}
	rows := row.FindAllStringSubmatch(string(page), -1)
	if len(rows) < 10 {
		t.Fatalf("%d commands: has the table another form?", len(rows))
	}
	for _, cells := range rows {
		if cells[1] == "`produce`" {
			continue
		}
		for i, place := range places {
			for operation := range strings.SplitSeq(cells[i+2], ",") {
				if operation = strings.TrimSpace(operation); operation != "" {
					add(want, place, operation)
				}
			}
		}
	}
	got := map[string]map[string]bool{}
	user := one[kafkaUser](t, objects(t, readValues(t, chartDir+"/examples/strimzi.yaml")), "")
	for _, acl := range user.Spec.Authorization.ACLs {
		for _, operation := range acl.Operations {
			add(got, acl.Resource.Name, operation)
		}
	}
	for _, place := range places {
		has, needs := slices.Sorted(maps.Keys(got[place])), slices.Sorted(maps.Keys(want[place]))
		if !slices.Equal(has, needs) {
			t.Errorf("%s: the user may %v, the commands need %v", place, has, needs)
		}
	}
}

func add(sets map[string]map[string]bool, name, member string) {
	if sets[name] == nil {
		sets[name] = map[string]bool{}
	}
	sets[name][member] = true
}

// TestFilesArriveWhole holds that alerts and dashboard come as they are: both have
// braces of their own, which Helm must not take for its. Only the Jobs that an alert is
// about are those of the release.
func TestFilesArriveWhole(t *testing.T) {
	all := objects(t, parse(t, "fullnameOverride: tunes\nmetrics: {prometheusRule: {enabled: true}, dashboard: {enabled: true}}"))
	alerts, err := os.ReadFile(chartDir + "/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const anybodys, own = `owner_name=~".*search-indexer-(`, `namespace="search", owner_name=~"tunes-(`
	if strings.Count(string(alerts), anybodys) != 1 {
		t.Errorf("alerts.yaml does not have %s", anybodys)
	}
	var want monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(strings.Replace(string(alerts), anybodys, own, 1)), &want); err != nil {
		t.Fatal(err)
	}
	got := one[monitoring.PrometheusRule](t, all, "").Spec
	if diff := cmp.Diff(want, got); diff != "" || len(got.Groups) == 0 || len(got.Groups[0].Rules) == 0 {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	dashboard, err := os.ReadFile(chartDir + "/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	shown := one[core.ConfigMap](t, all, "").Data["search-indexer.json"]
	if diff := cmp.Diff(strings.TrimSpace(string(dashboard)), strings.TrimSpace(shown)); diff != "" || !json.Valid([]byte(shown)) {
		t.Errorf("dashboard (-want +got):\n%s", diff)
	}
}
