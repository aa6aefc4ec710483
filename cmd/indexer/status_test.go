package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/config"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// statusJSON is the view that `status --json` prints, by its members.
func statusJSON(t *testing.T, env config.Environment, code int) map[string]any {
	t.Helper()
	got := indexer(t, env, "", "status", "--json")
	got.want(t, code)
	var view map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &view); err != nil {
		t.Fatalf("%v:\n%s", err, got.stdout)
	}
	return view
}

const noLetters = `{"last":null,"open":0,"records":0,"replayed":0}`

func show(value any) string {
	raw, _ := json.Marshal(value) // of what was JSON
	return string(raw)
}

func TestStatus(t *testing.T) {
	env := fresh(t)
	indexer(t, env, "", "setup", "--partitions", "2").want(t, exitDone)
	indexer(t, env, `{"post_id":"1"}`, "produce", "--topic", "post.created").want(t, exitDone)
	view := statusJSON(t, env, exitDone)
	if len(view["topics"].([]any)) != 2 || len(view["indices"].([]any)) != 2 || show(view["dead_letters"]) != noLetters || len(view["problems"].([]any)) != 0 {
		t.Errorf("view %v", view)
	}
	got := indexer(t, env, "", "status")
	got.want(t, exitDone)
	lines := strings.Split(got.stdout, "\n")
	topic := env["KAFKA_TOPIC_PREFIX"] + "post.created"
	if !strings.HasPrefix(lines[0], "TOPIC ") || !regexp.MustCompile(`^`+regexp.QuoteMeta(topic)+` 2 1 1 1 \d+s 0 0$`).MatchString(strings.Join(strings.Fields(lines[1]), " ")) || !strings.HasPrefix(lines[1], topic) ||
		len(lines[0]) != len(lines[1]) || !strings.Contains(got.stdout, ": no members, nobody reads\ndead letters: 0 open\n") {
		t.Errorf("stdout:\n%s", got.stdout)
	}
}

// TestStatusOfARunningGroup: who reads, how fast, who holds the lock, what was refused.
func TestStatusOfARunningGroup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	worker := s.run()
	s.publish(updates(0, 5)...)
	s.publish(`{"topic":"post.created","value":{"post_id":""}}`)
	s.awaitDone()
	var cfg index.Config
	if err := config.Load(t.Context(), s.env, &cfg); err != nil {
		t.Fatal(err)
	}
	client, err := index.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := client.Lock(t.Context(), index.LockRequest{Command: "rebuild", TTL: 9 * time.Second, Progress: func() index.Progress {
		return index.Progress{Phase: "fold", Done: 250, Total: 1000, Unit: "events", PerSecond: 25, SecondsLeft: 30}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.must("status")
	if err := lock.Release(t.Context()); err != nil {
		t.Error(err)
	}
	worker.stop()
	for _, says := range []string{": 1 member, search-indexer at ", "post.created/", " invalid_id\n", "\nlocked for rebuild since ", "\n  fold: 250 of 1,000 events, 25/s, 30s left\n"} {
		if !strings.Contains(got, says) {
			t.Errorf("status does not say %q:\n%s", says, got)
		}
	}
}

// TestUnfinishedRebuilds: status names each, and whether it goes on; a worker's notes
// those that went live.
func TestUnfinishedRebuilds(t *testing.T) {
	env := fresh(t)
	indexer(t, env, "", "setup").want(t, exitDone)
	var cfg index.Config
	if err := config.Load(t.Context(), env, &cfg); err != nil {
		t.Fatal(err)
	}
	client, err := index.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := index.NewCatalog(client).Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next, err := client.CreateNext(t.Context(), document.Post, time.Now().Add(time.Hour), index.Origin{State: index.OriginLoading, Owner: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{client: client, upkeep: &upkeep{patience: time.Minute}}
	want := func(words string, notes int) {
		t.Helper()
		rebuilds, _ := statusJSON(t, env, exitDone)["rebuilds"].([]any)
		if len(rebuilds) != 1 || !strings.Contains(fmt.Sprint(rebuilds...), words) {
			t.Errorf("rebuilds %q, want one with %q", rebuilds, words)
		}
		w.upkeep.look(t.Context(), client)
		if got := w.upkeep.status().Rebuilds; len(got) != 1 || !strings.Contains(got[0], words) {
			t.Errorf("a worker's rebuilds %q, want one with %q", got, words)
		}
		if got := w.unfinishedSwaps(t.Context()); len(got) != notes || notes > 0 && !strings.Contains(got[0], words) {
			t.Errorf("notes of a worker: %q", got)
		}
	}
	rebuilding := func() (over func()) {
		t.Helper()
		lock, err := client.Lock(t.Context(), index.LockRequest{Command: rebuildCommand, TTL: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	want("rebuild by ann of posts into "+next.Index+" has ended unfinished: run `indexer rebuild`", 0)
	over := rebuilding()
	want("rebuild of posts into "+next.Index+" is under way", 0)
	over()
	if err := client.Swap(t.Context(), []index.Swap{{From: targets[document.Post].Index, To: next}}); err != nil {
		t.Fatal(err)
	}
	want("rebuild by ann of posts has ended between swap and done: run `indexer rebuild --finish`", 1)
	if got := indexer(t, env, "", "status"); !strings.Contains(got.stdout, "\nrebuild by ann of posts ") {
		t.Errorf("stdout:\n%s", got.stdout)
	}
	over = rebuilding()
	want("rebuild of posts into "+next.Index+" is between swap and done", 1)
	over()
}

// Each server has a time of its own: one that is away leaves the other's part of
// the view as it is, and its own unknown.
func TestStatusWithoutAServer(t *testing.T) {
	env := fresh(t)
	indexer(t, env, "", "setup").want(t, exitDone)
	const nobody = "127.0.0.1:1"
	away := func(name, value string) config.Environment {
		changed := maps.Clone(env)
		changed[name] = value
		return changed
	}
	t.Run("Kafka", func(t *testing.T) {
		t.Parallel()
		view := statusJSON(t, away("KAFKA_BROKERS", nobody), exitFailed)
		if view["topics"] != nil || view["dead_letters"] != nil || len(view["indices"].([]any)) != 2 || len(view["problems"].([]any)) != 0 {
			t.Errorf("view %v", view)
		}
	})
	t.Run("OpenSearch", func(t *testing.T) {
		t.Parallel()
		env := away("OPENSEARCH_URLS", "http://"+nobody)
		view := statusJSON(t, env, exitFailed)
		if view["indices"] != nil || show(view["dead_letters"]) != noLetters || len(view["topics"].([]any)) != 2 {
			t.Errorf("view %v", view)
		}
		got := indexer(t, env, "", "status")
		got.want(t, exitFailed, "ask OpenSearch at http://"+nobody)
		if !strings.Contains(got.stdout, "indices: unknown") || strings.Contains(got.stderr, "Kafka") {
			t.Errorf("stdout:\n%s\nstderr:\n%s", got.stdout, got.stderr)
		}
	})
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		env := away("OPENSEARCH_URLS", "http://"+nobody)
		env["KAFKA_BROKERS"] = nobody
		got := indexer(t, env, "", "status")
		got.want(t, exitFailed, "ask Kafka", "ask OpenSearch")
		if !strings.Contains(got.stdout, "topics: unknown") || !strings.Contains(got.stdout, "dead letters: unknown") {
			t.Errorf("stdout:\n%s", got.stdout)
		}
	})
}

func TestDeadLettersAreCounted(t *testing.T) {
	zero, two, three := 0, 2, 3
	for want, counts := range map[string]*letterStatus{
		"dead letters: unknown":             nil,
		"dead letters: 9, open or replayed": {Records: 9},
		"dead letters: 0 open":              {Open: &zero, Replayed: &zero},
		"dead letters: 0 open, 2 replayed":  {Records: 2, Open: &zero, Replayed: &two},
		"dead letters: 3 open, 2 replayed":  {Records: 6, Open: &three, Replayed: &two},
	} {
		if got := deadLetters(counts); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Where the dead-letter topic has no leader at the moment, that no record of it is seen
// does not say that there is no letter.
func TestLettersThatNobodyTellsOfAreUnknown(t *testing.T) {
	var s settings
	s.Kafka = stream.Config{Brokers: []string{"127.0.0.1:1"}, SecurityProtocol: "PLAINTEXT", DLQTopic: "dead"}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for _, told := range []bool{true, false} {
		o := overview{Letters: &letterStatus{}}
		o.countLetters(ctx, &program{stderr: io.Discard}, s, told)
		if known := o.Letters != nil; known != told || known != (len(o.Problems) == 0) {
			t.Errorf("told %v: %q, problems %q", told, deadLetters(o.Letters), o.Problems)
		}
	}
}
