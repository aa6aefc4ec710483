package rebuild

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// A worker's bulk that is held back from before the swap, and events between each
// two steps, deletes and creates among them, all end in the new index.
func TestInterleaving(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	for _, until := range []Phase{PhaseBlock, PhaseDrain, PhaseClean, ""} {
		gate := make(chan struct{})
		open := sync.OnceFunc(func() { close(gate) })
		late := s.connect(s.proxy(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "_bulk") {
				<-gate
			}
			return false
		}))
		var workers sync.WaitGroup
		t.Cleanup(open)
		live := func(phase Phase) func(*Parts, *Options) {
			return at(phase, func(context.Context) error {
				id := fmt.Sprintf("%s-%s", until, phase)
				deleted := s.publish("post.deleted", `{"post_id":"a","version":1}`)
				records := []*record.Record{s.post(id, 1), deleted, s.post("a", 2), s.post(id, 2)}
				workers.Go(func() { s.index(context.WithoutCancel(t.Context()), late, records[:2]...) })
				s.index(t.Context(), s.client, records[2:]...)
				if phase == until {
					open()
				}
				return nil
			})
		}
		var changes []func(*Parts, *Options)
		for _, phase := range Phases() {
			changes = append(changes, live(phase))
		}
		s.ok(changes...)
		open()
		workers.Wait()
		s.right()
	}
}

// What the cluster can't do just now, at any request, is tried again; and an answer
// to a swap that got lost does not make it fail.
func TestBusyCluster(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	var n atomic.Int64
	var lost atomic.Bool
	busy := s.connect(s.proxy(func(w http.ResponseWriter, r *http.Request) bool {
		path := r.URL.Path
		switch {
		case strings.HasSuffix(path, "_aliases") && !lost.Swap(true):
			r.URL.Host = "" // forwarded by another client below
			req, _ := http.NewRequestWithContext(r.Context(), r.Method, s.opened.URLs[0]+path, r.Body)
			req.Header = r.Header
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
			w.WriteHeader(http.StatusGatewayTimeout)
			return true
		case strings.HasSuffix(path, "_bulk"), strings.HasSuffix(path, "_search"), strings.HasSuffix(path, "_refresh"), strings.Contains(path, "_block"):
			if status := []int{http.StatusTooManyRequests, http.StatusServiceUnavailable, 0, 0}[n.Add(1)%4]; status != 0 {
				w.WriteHeader(status)
				return true
			}
		}
		return false
	}))
	s.ok(func(p *Parts, _ *Options) { p.Client = busy })
	s.right()
}

// Aliases that a swap would spoil are refused before anything is made.
func TestBrokenAliases(t *testing.T) {
	s := newStand(t)
	s.request("PUT", "/"+s.opened.IndexPrefix+"posts", "")
	s.post("a", 1)
	refused := func(words string) {
		t.Helper()
		began := false
		b := s.rebuild(at(PhaseFold, func(context.Context) error { began = true; return nil }))
		if err := b.Run(t.Context()); err == nil || began || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, began %v", err, began)
		}
	}
	refused("is an index, where an alias")
	s.request("DELETE", "/"+s.opened.IndexPrefix+"posts", "")
	s.ok() // with no index at all
	s.right()
	s.request("DELETE", "/"+s.live()+"/_alias/"+s.opened.IndexPrefix+"posts-write", "")
	refused("posts-write")
}

// A new index that somebody removes is not waited for.
func TestTheNewIndexIsGone(t *testing.T) {
	for _, phase := range []Phase{PhaseLoad, PhaseCatchUp} {
		t.Run(string(phase), func(t *testing.T) {
			s := newStand(t)
			s.setup()
			live := s.live()
			s.post("a", 1)
			remove := func(ctx context.Context) error {
				left, err := s.client.Unfinished(ctx)
				for _, next := range left {
					s.request("DELETE", "/"+next.Index, "")
				}
				s.post("b", 1)
				return err
			}
			if phase == PhaseLoad {
				b := s.rebuild()
				next, err := s.client.CreateNext(t.Context(), document.Post, time.Now(), index.Origin{State: index.OriginLoading})
				if err == nil {
					err = remove(t.Context())
				}
				if err == nil {
					err = b.write(t.Context(), next, []index.Action{{Key: document.Key{Entity: document.Post, ID: "a"}}}, &loaded{})
				}
				if err == nil || !strings.Contains(err.Error(), "is gone") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err := s.rebuild(at(phase, remove)).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is gone") {
				t.Errorf("got %v", err)
			}
			if now := s.live(); now != live {
				t.Errorf("live is %s, want %s", now, live)
			}
		})
	}
}

// An event that the new index refuses keeps it from going live, unless it is a dead
// letter, be it since a moment ago.
func TestRefusedEvents(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.post("good", 1)
	strict := s.strict()
	err := s.rebuild(strict).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "--accept-rejected") {
		t.Fatalf("got %v", err)
	}
	ranges, err := s.reader.Ranges(t.Context(), s.kafka.FullTopics())
	if err != nil {
		t.Fatal(err)
	}
	all := map[record.Partition]map[int64]bool{}
	for _, r := range ranges {
		all[r.Partition] = map[int64]bool{}
		for o := r.From; o < r.To+10; o++ {
			all[r.Partition][o] = true
		}
	}
	s.letters.later = all // by the live worker, since the rebuild has begun
	report := s.ok(strict)
	if report.RejectedCount != 0 || len(s.letters.sent) != 0 {
		t.Errorf("%d rejected, %d letters sent", report.RejectedCount, len(s.letters.sent))
	}
	s.letters.open, s.letters.later = nil, nil
	if report := s.ok(strict, acceptRejected); report.RejectedCount != 1 || len(s.letters.sent) != 1 {
		t.Errorf("%d rejected, %d letters sent", report.RejectedCount, len(s.letters.sent))
	}
}

// A log that is cut while it is caught up with is refused, and told behind the swap.
func TestCutMeanwhile(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	before := s.live()
	cut := func(context.Context) error {
		r := s.post("b", int(time.Now().Unix()))
		s.index(t.Context(), s.client, r)
		ranges, err := s.reader.Ranges(t.Context(), s.kafka.FullTopics())
		if err != nil {
			return err
		}
		ends := map[record.Partition]int64{}
		for _, r := range ranges {
			if r.To > 0 {
				ends[r.Partition] = r.To
			}
		}
		return s.admin.DeleteRecords(t.Context(), ends)
	}
	if err := s.rebuild(at(PhaseCatchUp, cut)).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was cut") || s.live() != before {
		t.Errorf("got %v", err)
	}
	report := s.ok(at(PhaseDrain, cut), func(_ *Parts, o *Options) { o.Seed = true })
	if told := strings.Join(report.Notes, "\n"); !strings.Contains(told, "was cut from offset") {
		t.Errorf("told %s", told)
	}
}
