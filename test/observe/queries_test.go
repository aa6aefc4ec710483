package observe

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// panelsOnlyThen are those that show nothing where all is well, and the state that
// they are for.
var panelsOnlyThen = map[string]string{
	"Dead letters":        "poisoned",
	"Tried again":         "throttled",
	"Index takes nothing": "throttled",
	"Rebuild progress":    "rebuilding",
}

// alertsFor are the alerts that must fire in a state of a real run. Lag there is of
// seconds, so the queries ask for one second where they ask for minutes.
var alertsFor = map[string][]string{
	"healthy":    nil,
	"rebuilding": nil,
	"lagging":    {"SearchIndexerTooSlow"},
	"no Redis":   {"SearchIndexerRedisDown"},
	"poisoned":   {"SearchIndexerDeadLetters", "SearchIndexerPartitionPaused", "SearchIndexerPartitionStuck"},
	"throttled":  {"SearchIndexerThrottled", "SearchIndexerNoProgress"},
	"broken":     {"SearchIndexerIndexStalled", "SearchIndexerRedisDown", "SearchIndexerRebuildUnfinished"},
	"gone":       {"SearchIndexerDown"},
}

// onlyMadeUp are alerts for what a short run of a sound program can't show; in
// TestAlertsFire they do. What they ask for is there all the same.
var onlyMadeUp = []string{"SearchIndexerBooksOutOfBalance", "SearchIndexerRestarting", "SearchIndexerReadsNothing", "SearchIndexerJobFailed"}

// TestEveryQueryOnARealRun takes a worker through the states that people look for, and
// asks in each all that the dashboard and the alerts ask.
func TestEveryQueryOnARealRun(t *testing.T) {
	c := newCrew(t)
	c.env["BATCH_MAX_EVENTS"] = "20"
	s := newScraper(t)
	w := c.start()
	s.follow(w.url, labels.FromStrings("job", "search-indexer", "instance", "a", "namespace", "n"))
	run := &realRun{scraper: s, t: t, engine: promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery), fired: map[string]bool{}}

	c.must("", "produce", "--count", "800", "--rate", "60", "--seed", "3")
	c.eventually("all to be done", func() bool { return w.status().Lag.Messages == 0 })
	run.look("healthy")

	address, _ := c.rebuildFor("30")
	s.follow("http://"+address, labels.FromStrings("job", "rebuild", "instance", "r", "namespace", "n"))
	c.eventually("the rebuild to be seen", func() bool {
		_, body := w.get("/metrics")
		return strings.Contains(body, "\nindexer_rebuild_running 1\n")
	})
	run.look("rebuilding")

	c.search.mode.Store(slow)
	c.publish(updates(100, 900)...)
	c.eventually("the lag", func() bool { return w.status().Lag.Seconds > 2 })
	run.look("lagging")
	c.search.mode.Store(open)
	c.eventually("all to be done", func() bool { return w.status().Lag.Messages == 0 })

	c.redis.set(true)
	c.publish(updates(901, 950)...)
	c.eventually("Redis to be missed", func() bool { return !w.status().RedisUp })
	run.look("no Redis")
	c.redis.set(false)
	c.eventually("Redis to be back", func() bool { return w.status().RedisUp })

	w.pause("pause", 0)
	c.publish(append(updates(1, 20), `{"topic":"post.created","value_text":"no JSON"}`)...)
	c.eventually("the letter", func() bool { return len(w.status().Letters) > 0 && w.status().Lag.Seconds > 2 })
	run.look("poisoned")
	w.pause("resume", 0)

	c.search.mode.Store(throttled)
	c.publish(updates(21, 60)...)
	c.eventually("the stall", func() bool { s := w.status(); return s.Stalled["post"] == "throttled" && s.Lag.Seconds > 2 })
	time.Sleep(25 * time.Second) // ten minutes without progress, as the storage has it
	run.look("throttled")

	c.search.mode.Store(open)
	c.eventually("all to be done", func() bool { return w.status().Lag.Messages == 0 })
	c.rebuild()
	c.eventually("the unfinished rebuild", func() bool {
		_, body := w.get("/metrics")
		return strings.Contains(body, `indexer_rebuild_unfinished{entity="post"} 1`) && strings.Contains(body, "\nindexer_rebuild_running 0\n")
	})
	c.search.mode.Store(down)
	c.redis.set(true)
	c.publish(updates(61, 80)...)
	c.eventually("the breakdown", func() bool { s := w.status(); return s.Stalled["post"] == "network" && !s.RedisUp })
	run.look("broken")

	s.forget(w.url)
	time.Sleep(12 * time.Second) // longer than a series is looked back for
	run.look("gone")
	run.nothingIsUnheardOf()
}

// rebuildFor runs a rebuild that loads so many documents a second, until stop.
func (c *crew) rebuildFor(rate string) (address string, stop func()) {
	c.Helper()
	address = freeAddress(c.T)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := c.command(ctx, "rebuild", "--http", address, "--rate", rate)
	output, err := os.Create(c.TempDir() + "/rebuild.log")
	if err != nil {
		c.Fatal(err)
	}
	cmd.Stderr, cmd.Stdout = output, output
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() { cancel(); <-ended }
	c.Cleanup(func() {
		stop()
		if text, _ := os.ReadFile(output.Name()); c.Failed() {
			c.Logf("rebuild:\n%s", text)
		}
	})
	return address, stop
}

type realRun struct {
	*scraper
	t      *testing.T
	engine *promql.Engine
	fired  map[string]bool
}

func (r *realRun) ask(query string) promql.Vector {
	r.t.Helper()
	q, err := r.engine.NewInstantQuery(r.t.Context(), r.storage, nil, query, r.now())
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	defer q.Close()
	result := q.Exec(r.t.Context())
	if result.Err != nil {
		r.t.Errorf("%s: %v", query, result.Err)
		return nil
	}
	vector, err := result.Vector()
	if err != nil {
		r.t.Errorf("%s: %v", query, err)
	}
	return slices.Clone(vector)
}

// look waits for two minutes of the storage's, and asks everything.
func (r *realRun) look(state string) {
	r.t.Helper()
	time.Sleep(4 * time.Second)
	for _, panel := range readDashboard(r.t).Panels {
		if state == "gone" || state == "broken" {
			break
		}
		for _, target := range panel.Targets {
			if only, ok := panelsOnlyThen[panel.Title]; ok && only != state {
				continue
			}
			if len(r.ask(filled(target.Expr))) == 0 {
				r.t.Errorf("%s: panel %q shows nothing: %s", state, panel.Title, target.Expr)
			}
		}
	}
	for _, rule := range alerts(r.t) {
		fires := len(r.ask(impatient(r.t, rule.Expr))) > 0
		must := slices.Contains(alertsFor[state], rule.Alert)
		if must && !fires {
			r.t.Errorf("%s: %s does not fire", state, rule.Alert)
		}
		if fires && alertsFor[state] == nil {
			r.t.Errorf("%s: %s fires", state, rule.Alert)
		}
		r.fired[rule.Alert] = r.fired[rule.Alert] || fires
	}
}

// impatient has a query ask for one second of lag where it asks for minutes.
func impatient(t *testing.T, query string) string {
	t.Helper()
	expr := parse(t, query)
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		compare, ok := node.(*parser.BinaryExpr)
		if !ok || !compare.Op.IsComparisonOperator() {
			return nil
		}
		if bound, ok := compare.RHS.(*parser.NumberLiteral); ok && bound.Val >= 60 {
			bound.Val = 1
		}
		return nil
	})
	return expr.String()
}

// nothingIsUnheardOf finds names in queries that no scrape of the run had, and alerts
// that nothing made fire.
func (r *realRun) nothingIsUnheardOf() {
	r.t.Helper()
	queries := map[string]string{}
	for _, rule := range alerts(r.t) {
		queries[rule.Alert] = rule.Expr
		if !r.fired[rule.Alert] && !slices.Contains(onlyMadeUp, rule.Alert) {
			r.t.Errorf("%s fired in no state", rule.Alert)
		}
	}
	for _, panel := range readDashboard(r.t).Panels {
		for i, target := range panel.Targets {
			queries[fmt.Sprintf("%s/%d", panel.Title, i)] = filled(target.Expr)
		}
	}
	for name, query := range queries {
		parser.Inspect(parse(r.t, query), func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if ok && !strings.HasPrefix(selector.Name, "kube_") { // those are of kube-state-metrics
				if len(r.ask("last_over_time("+selector.String()+"[12h])")) == 0 {
					r.t.Errorf("%s asks for %s, which no scrape had", name, selector)
				}
			}
			return nil
		})
	}
}
