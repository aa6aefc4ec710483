package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A rebuild is killed in each of its phases; the next one leaves a right index and
// nothing else.
func TestRebuildKilled(t *testing.T) {
	t.Parallel()
	x := newIndexer(t).with("LOCK_TTL=6s")
	s := streams[3]()
	x.setup()
	half := len(s.records) / 2
	places := x.publish(s.records[:half])
	w := x.start()
	x.awaitCommitted(places)
	rest := x.publishSlowly(s.records[half:])
	random := rand.New(rand.NewPCG(3, 0))
	for _, phase := range []string{"fold", "load", "catch up", "swap", "block", "drain", "clean up"} {
		r := x.startRebuild("--linger", "200ms")
		r.awaitPhase(phase)
		time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
		r.kill()
		if phase == "fold" {
			x.ok("rebuild", "--abort")
		}
	}
	x.ok("rebuild", "--finish")
	x.okRebuild()
	places = append(places, rest()...)
	x.awaitCommitted(places)
	x.must(s, places, true)
	x.wantIndices()
	w.stop()
}

// The index before comes back, with all that was published since.
func TestRollback(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := ofRecords(t, newStream(smallPlan(7)).records)
	x.setup()
	third := len(s.records) / 3
	places := x.publish(s.records[:third])
	w := x.start()
	x.awaitCommitted(places)
	before := x.live()
	x.okRebuild()
	places = append(places, x.publish(s.records[third:2*third])...)
	x.awaitCommitted(places)
	x.okRebuild("--rollback")
	for entity, index := range x.live() {
		if index != before[entity] {
			t.Errorf("%s: live is %s, want %s back", entity, index, before[entity])
		}
	}
	places = append(places, x.publish(s.records[2*third:])...)
	x.awaitCommitted(places)
	x.must(s, places, true)
	w.stop()
}

// A log that does not hold everything is refused; seeded from the live index, the
// new one is right all the same.
func TestRebuildFromACutLog(t *testing.T) {
	t.Parallel()
	x := newIndexer(t)
	s := ofRecords(t, newStream(smallPlan(8)).records)
	x.setup()
	places := x.publish(s.records)
	w := x.start()
	x.awaitCommitted(places)
	topic := x.prefix + "post.created"
	if err := x.broker.Cut(t.Context(), topic, ends(places)); err != nil {
		t.Fatal(err)
	}
	before := x.live()
	if code, out := x.run("rebuild"); code != 1 || !strings.Contains(out, topic) || !strings.Contains(out, "--seed-from-current") {
		t.Fatalf("a cut log: exit code %d\n%s", code, out)
	}
	if after := x.live(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Fatalf("a refused rebuild changed the aliases: %v, before %v", after, before)
	}
	x.okRebuild("--seed-from-current")
	x.must(s, places, false)
	// Without the seed most posts would be gone, which is refused too.
	if code, out := x.run("rebuild", "--accept-truncated"); code != 1 || !strings.Contains(out, "--accept-fewer") {
		t.Errorf("far fewer documents: exit code %d\n%s", code, out)
	}
	x.wantIndices()
	if err := x.broker.Configure(t.Context(), x.prefix+"artist.created", "cleanup.policy", "compact"); err != nil {
		t.Fatal(err)
	}
	if code, out := x.run("rebuild", "--dry-run"); code != 1 || !strings.Contains(out, "compact") {
		t.Errorf("a compacted topic: exit code %d\n%s", code, out)
	}
	w.stop()
}

// live returns the index behind the write alias of each entity.
func (x *indexer) live() map[string]string {
	x.t.Helper()
	live := map[string]string{}
	for entity, alias := range Aliases(x.index) {
		index, err := x.cluster.Index(x.t.Context(), alias)
		if err != nil {
			x.t.Fatal(err)
		}
		live[entity] = index
	}
	return live
}

// wantIndices wants two indices of each entity, the live one and one that is kept, and
// no alias but the two of the live one.
func (x *indexer) wantIndices() {
	x.t.Helper()
	var found map[string]struct {
		Aliases map[string]any `json:"aliases"`
	}
	if err := x.cluster.Do(x.t.Context(), http.MethodGet, "/"+x.index+"*/_alias?expand_wildcards=all", "", &found); err != nil {
		x.t.Fatal(err)
	}
	count, aliases := map[string]int{}, 0
	for name, index := range found {
		for entity, alias := range Aliases(x.index) {
			if strings.HasPrefix(name, alias+"-2") {
				count[entity]++
			}
		}
		aliases += len(index.Aliases)
	}
	if count["post"] != 2 || count["artist"] != 2 || aliases != 4 {
		x.t.Errorf("want 2 indices of each entity and 4 aliases, got %v", found)
	}
}

// okRebuild rebuilds, which must work, and returns the report.
func (x *indexer) okRebuild(flags ...string) string {
	x.t.Helper()
	out := x.ok(append([]string{"rebuild", "--json"}, flags...)...)
	report := lastLine(out)
	if !json.Valid([]byte(report)) {
		x.t.Fatalf("rebuild --json printed %s", out)
	}
	return report
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// rebuilding is one running `indexer rebuild`.
type rebuilding struct {
	*worker
	x *indexer
}

func (x *indexer) startRebuild(flags ...string) *rebuilding {
	x.t.Helper()
	w := &worker{t: x.t, log: filepath.Join(x.t.TempDir(), "rebuild.log"), ended: make(chan struct{})}
	file, err := os.Create(w.log)
	if err != nil {
		x.t.Fatal(err)
	}
	w.cmd = x.command(context.WithoutCancel(x.t.Context()), append([]string{"rebuild"}, flags...)...)
	w.cmd.Stdout, w.cmd.Stderr = file, file
	if err := w.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait() // the exit code is what the tests look at
		_ = file.Close()
		close(w.ended)
	}()
	x.t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-w.ended
	})
	return &rebuilding{w, x}
}

// awaitPhase waits until the log tells that a phase begins.
func (r *rebuilding) awaitPhase(phase string) {
	r.t.Helper()
	r.x.await(func() bool {
		if strings.Contains(r.text(), `"phase":"`+phase+`"`) {
			return true
		}
		r.alive()
		return false
	}, func() string { return "the phase " + phase + "\n" + r.tail() })
}

func (r *rebuilding) kill() {
	r.t.Helper()
	_ = r.cmd.Process.Signal(syscall.SIGKILL) // unless it has ended already
	<-r.ended
}

func (r *rebuilding) wantExit(code int) {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(r.x.patience):
		r.t.Fatalf("the rebuild does not end\n%s", r.tail())
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("exit code %d, want %d\n%s", got, code, r.tail())
	}
}

// reading searches through the read aliases all the time.
type reading struct {
	t        *testing.T
	cancel   context.CancelFunc
	ended    chan struct{}
	queries  atomic.Int64
	failures []string
}

// read begins to search. A query that fails, or finds nothing, is a failure.
func (x *indexer) read(entities ...string) *reading {
	ctx, cancel := context.WithCancel(x.t.Context())
	r := &reading{t: x.t, cancel: cancel, ended: make(chan struct{})}
	x.t.Cleanup(cancel)
	go func() {
		defer close(r.ended)
		for n := 0; ctx.Err() == nil; n++ {
			alias := Aliases(x.index)[entities[n%len(entities)]]
			var found struct {
				Hits struct {
					Hits []json.RawMessage `json:"hits"`
				} `json:"hits"`
				Shards struct {
					Failed int `json:"failed"`
				} `json:"_shards"`
			}
			err := x.cluster.Do(ctx, http.MethodGet, "/"+alias+"/_search?size=1", "", &found)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				r.failures = append(r.failures, err.Error())
			case len(found.Hits.Hits) == 0 || found.Shards.Failed > 0:
				r.failures = append(r.failures, fmt.Sprintf("%s: empty, or a shard failed", alias))
			}
			r.queries.Add(1)
		}
	}()
	return r
}

// stop ends the searches, of which none may have failed.
func (r *reading) stop() {
	r.t.Helper()
	r.cancel()
	<-r.ended
	r.t.Logf("%d searches", r.queries.Load())
	if slices.Sort(r.failures); len(r.failures) > 0 || r.queries.Load() == 0 {
		r.t.Errorf("%d of %d searches failed, as %s", len(r.failures), r.queries.Load(), slices.Compact(r.failures))
	}
}
