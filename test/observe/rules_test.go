package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const files = "../../helm/search-indexer/files/"

// alerts are those of the file, as they stand there.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile(files + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return rulesOf(t, text)
}

// chartAlerts are those that the chart makes of the file for a release of other names.
func chartAlerts(t *testing.T, values string) []rulefmt.Rule {
	t.Helper()
	render := exec.CommandContext(t.Context(), "go", "run", "-C", "../../helm", "./template")
	render.Stdin = strings.NewReader(values)
	lines, err := render.Output()
	if err != nil {
		t.Fatalf("render the chart: %v", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(lines)); decoder.More(); {
		var object struct {
			Kind string          `json:"kind"`
			Spec json.RawMessage `json:"spec"`
		}
		if err := decoder.Decode(&object); err != nil {
			t.Fatal(err)
		}
		if object.Kind == "PrometheusRule" {
			return rulesOf(t, object.Spec) // JSON is YAML
		}
	}
	t.Fatal("the chart has no PrometheusRule")
	return nil
}

func rulesOf(t *testing.T, text []byte) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if len(errs) > 0 || len(groups.Groups) == 0 {
		t.Fatal("the alerts do not parse")
	}
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func parse(t *testing.T, query string) parser.Expr {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return expr
}

// dashboard is what the tests look at of dashboard.json.
type dashboard struct {
	Panels []struct {
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct{ H, W, X, Y int }
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(files + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// filled puts values in the places of Grafana's variables.
func filled(query string) string {
	return strings.NewReplacer("$__rate_interval", "10m", "$job", ".+").Replace(query)
}

func TestDashboardShowsTheMainThingsFirst(t *testing.T) {
	var titles []string
	for _, p := range readDashboard(t).Panels {
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q is wider than the dashboard", p.Title)
		}
		if p.Type == "row" {
			continue
		}
		titles = append(titles, p.Title)
		for _, target := range p.Targets {
			parse(t, filled(target.Expr))
		}
		if len(p.Targets) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
	}
	if want := []string{"Topic throughput", "Consumer lag", "Error rate"}; len(titles) < 3 || !slices.Equal(titles[:3], want) {
		t.Errorf("the first panels are %q, want %q", titles[:min(3, len(titles))], want)
	}
}

// anchors are those that GitHub gives the headings of a page.
func anchors(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

func TestEveryAlertLeadsToItsPage(t *testing.T) {
	known := anchors(t, "../../docs/operations.md")
	for _, rule := range alerts(t) {
		page, anchor, _ := strings.Cut(rule.Annotations["runbook_url"], "#")
		if !strings.HasSuffix(page, "/docs/operations.md") || !known[anchor] {
			t.Errorf("%s leads to %q, which docs/operations.md does not have", rule.Alert, rule.Annotations["runbook_url"])
		}
		if rule.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
			t.Errorf("%s: summary %q, severity %q", rule.Alert, rule.Annotations["summary"], rule.Labels["severity"])
		}
	}
}

// healthy is a worker that does its work; a test puts other series in the place of
// some of these.
func healthy() map[string]string {
	return map[string]string{
		`indexer_build_info{job="w",instance="a"}`:                                   "1x60",
		`process_start_time_seconds{job="w",instance="a"}`:                           "0x60",
		`indexer_partitions_assigned{job="w",instance="a"}`:                          "3x60",
		`indexer_partitions_paused{job="w",instance="a"}`:                            "0x60",
		`indexer_events_consumed_total{job="w",instance="a",topic="t"}`:              "10+60x60",
		`indexer_events_total{job="w",instance="a",entity="post",outcome="indexed"}`: "0+60x60",
		`indexer_in_flight_events{job="w",instance="a"}`:                             "10x60",
		`indexer_consumer_lag{job="w",instance="a",topic="t",partition="0"}`:         "5x60",
		`indexer_consumer_lag_seconds{job="w",instance="a",topic="t",partition="0"}`: "1x60",
		`indexer_consumer_lag_seconds{job="w",instance="a",topic="t",partition="1"}`: "1x60",
		`indexer_consumer_lag_seconds{job="w",instance="a",topic="t",partition="2"}`: "1x60",
		`indexer_bulk_retries_total{job="w",instance="a",reason="throttled"}`:        "0x60",
		`indexer_bulk_retries_total{job="w",instance="a",reason="conflict"}`:         "0x60",
		`indexer_dead_letters_total{job="w",instance="a",reason="invalid_json"}`:     "0x60",
		`indexer_redis_up{job="w",instance="a"}`:                                     "1x60",
		`indexer_rebuild_unfinished{job="w",instance="a",entity="post"}`:             "0x60",
		`indexer_rebuild_running{job="w",instance="a"}`:                              "0x60",
	}
}

// TestAlertsFire evaluates the rules minute by minute over series that are made up,
// and looks at what fires after fifty minutes, and that it did not fire in two.
func TestAlertsFire(t *testing.T) {
	lag := func(partition string) string {
		return `indexer_consumer_lag_seconds{job="w",instance="a",topic="t",partition="` + partition + `"}`
	}
	growing := map[string]string{lag("0"): "0+60x60", lag("1"): "0+60x60", lag("2"): "0+60x60"}
	with := func(base map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for name, values := range base {
			all[name] = values
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	const (
		throttledRetries = `indexer_bulk_retries_total{job="w",instance="a",reason="throttled"}`
		indexed          = `indexer_events_total{job="w",instance="a",entity="post",outcome="indexed"}`
		consumed         = `indexer_events_consumed_total{job="w",instance="a",topic="t"}`
		paused           = `indexer_partitions_paused{job="w",instance="a"}`
		unfinished       = `indexer_rebuild_unfinished{job="w",instance="a",entity="post"}`
	)
	for name, tt := range map[string]struct {
		series map[string]string
		gone   bool // no worker at all
		want   []string
		soon   bool // fires at once
	}{
		"healthy":              {},
		"no worker":            {gone: true, want: []string{"SearchIndexerDown"}},
		"too little capacity":  {series: growing, want: []string{"SearchIndexerTooSlow"}},
		"one partition":        {series: map[string]string{lag("1"): "0+60x60"}, want: []string{"SearchIndexerPartitionStuck"}},
		"one paused partition": {series: map[string]string{lag("1"): "0+60x60", lag("0"): "0x60", lag("2"): "0x60", paused: "1x60"}, want: []string{"SearchIndexerPartitionPaused", "SearchIndexerPartitionStuck"}},
		"throttled":            {series: with(growing, throttledRetries, "0+10x60"), want: []string{"SearchIndexerThrottled"}},
		"throttled in passing": {series: map[string]string{throttledRetries: "0+10x60"}},
		"index blocked": {
			series: with(growing, `indexer_index_stalled{job="w",instance="a",entity="post",reason="blocked"}`, "1x60"),
			want:   []string{"SearchIndexerIndexStalled"},
		},
		"no progress":   {series: map[string]string{indexed: "0x60", consumed: "10x60"}, want: []string{"SearchIndexerNoProgress"}},
		"reads nothing": {series: map[string]string{`indexer_partitions_assigned{job="w",instance="a"}`: "0x60"}, want: []string{"SearchIndexerReadsNothing"}},
		"restarts":      {series: map[string]string{`process_start_time_seconds{job="w",instance="a"}`: "0+60x60"}, want: []string{"SearchIndexerRestarting"}},
		"dead letters":  {series: map[string]string{`indexer_dead_letters_total{job="w",instance="a",reason="invalid_json"}`: "0+1x60"}, want: []string{"SearchIndexerDeadLetters"}, soon: true},
		"Redis down":    {series: map[string]string{`indexer_redis_up{job="w",instance="a"}`: "0x60"}, want: []string{"SearchIndexerRedisDown"}},
		"books":         {series: map[string]string{consumed: "11+60x60"}, want: []string{"SearchIndexerBooksOutOfBalance"}},
		"rebuild runs":  {series: map[string]string{unfinished: "1x60", `indexer_rebuild_running{job="w",instance="a"}`: "1x60"}},
		"a rebuild's job failed": {
			series: map[string]string{failedJob("x-search-indexer-rebuild-1"): "1x60", ownedJob("x-search-indexer-rebuild-1", "x-search-indexer-rebuild"): "1x60"},
			want:   []string{"SearchIndexerJobFailed"}, soon: true,
		},
		"a rebuild's job runs": {
			series: map[string]string{failedJob("r"): "0x60", ownedJob("r", "x-search-indexer-rebuild"): "1x60"},
		},
		"another's job failed": {
			series: map[string]string{failedJob("b"): "1x60", ownedJob("b", "database-rebuild"): "1x60", failedJob("by-hand"): "1x60"},
		},
		"rebuild unfinished": {series: map[string]string{unfinished: "1x60"}, want: []string{"SearchIndexerRebuildUnfinished"}},
	} {
		t.Run(name, func(t *testing.T) {
			load := "load 1m\n  indexer_build_info{job=\"rebuild\",instance=\"r\"} 1x60\n"
			if !tt.gone {
				for series, values := range with(healthy(), pairs(tt.series)...) {
					load += "  " + series + " " + values + "\n"
				}
			}
			soon, late := fired(t, alerts(t), load)
			if len(soon) > 0 && !tt.soon {
				t.Errorf("after two minutes there fire %q", soon)
			}
			if !slices.Equal(late, tt.want) {
				t.Errorf("there fire %q, want %q", late, tt.want)
			}
		})
	}
}

// However a release is called, its own failed Jobs are told of, and no others.
func TestFailedJobsOfARelease(t *testing.T) {
	all := chartAlerts(t, "fullnameOverride: tunes\nmetrics: {prometheusRule: {enabled: true}}")
	all = slices.DeleteFunc(all, func(r rulefmt.Rule) bool { return r.Alert != "SearchIndexerJobFailed" })
	for owner, want := range map[string]int{"tunes-rebuild": 1, "tunes-verify": 1, "demo-search-indexer-rebuild": 0, "other-tunes-rebuild": 0} {
		load := "load 1m\n"
		for _, series := range []string{failedJob("j"), ownedJob("j", owner)} {
			load += "  " + strings.Replace(series, `namespace="n"`, `namespace="search"`, 1) + " 1x60\n"
		}
		if _, late := fired(t, all, load); len(late) != want {
			t.Errorf("%s: there fire %q", owner, late)
		}
	}
}

// failedJob and ownedJob are series of kube-state-metrics.
func failedJob(name string) string {
	return `kube_job_failed{job="kube-state-metrics",namespace="n",job_name="` + name + `",condition="true"}`
}

func ownedJob(name, owner string) string {
	return `kube_job_owner{job="kube-state-metrics",namespace="n",job_name="` + name + `",owner_kind="CronJob",owner_name="` + owner + `"}`
}

func pairs(series map[string]string) (list []string) {
	for name, values := range series {
		list = append(list, name, values)
	}
	return list
}

// fired returns the alerts that fire after two minutes, and after fifty.
func fired(t *testing.T, all []rulefmt.Rule, load string) (soon, late []string) {
	t.Helper()
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery), promqltest.LoadedStorage(t, load))
	for _, rule := range all {
		alert := rules.NewAlertingRule(rule.Alert, parse(t, rule.Expr), time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
			labels.FromMap(rule.Labels), labels.FromMap(rule.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
		for minute := range 51 {
			if _, err := alert.Eval(context.Background(), 0, time.Unix(0, 0).Add(time.Duration(minute)*time.Minute), query, nil, 0); err != nil {
				t.Fatalf("%s: %v", rule.Alert, err)
			}
			fires := slices.ContainsFunc(alert.ActiveAlerts(), func(a *rules.Alert) bool { return a.State == rules.StateFiring })
			if fires && minute == 2 {
				soon = append(soon, rule.Alert)
			}
			if fires && minute == 50 {
				late = append(late, rule.Alert)
				for _, a := range alert.ActiveAlerts() {
					a.Annotations.Range(func(l labels.Label) {
						if strings.Contains(l.Value, "error expanding") || strings.Contains(l.Value, "<no value>") {
							t.Errorf("%s: %s", rule.Alert, l.Value)
						}
					})
				}
			}
		}
	}
	slices.Sort(soon)
	slices.Sort(late)
	return soon, late
}
