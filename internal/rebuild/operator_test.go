package rebuild

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
	"github.com/search-indexer/search-indexer/internal/stream"
)

// What an operator does to the index that was replaced does not hold a rebuild up.
func TestTheReplacedIndexIsTakenAway(t *testing.T) {
	for name, do := range map[string]func(s *stand, old string){
		"closed": func(s *stand, old string) { s.request("POST", "/"+old+"/_close", "") },
		"closed and blocked": func(s *stand, old string) {
			s.request("PUT", "/"+old+"/_block/write", "")
			s.request("POST", "/"+old+"/_close", "")
		},
		"removed": func(s *stand, old string) { s.request("DELETE", "/"+old, "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.setup()
			s.index(t.Context(), s.client, s.post("a", 1))
			old := s.live()
			s.ok(at(PhaseBlock, func(context.Context) error {
				do(s, old)
				s.post("b", 1)
				return nil
			}))
			s.right()
			var refused *RefusedError
			if err := s.rebuild().Rollback(t.Context()); !errors.As(err, &refused) {
				t.Errorf("rolled back to it: %v", err)
			}
			s.right()
			if name == "removed" {
				return
			}
			s.request("POST", "/"+old+"/_open?wait_for_active_shards=1", "")
			if err := s.rebuild().Rollback(t.Context()); err != nil || s.live() != old {
				t.Errorf("once it is open: %v", err)
			}
			s.right()
		})
	}
}

// A live index that is closed can be neither counted nor read: that is said before
// anything is begun.
func TestTheLiveIndexIsClosed(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	live := s.live()
	s.request("POST", "/"+live+"/_close", "")
	begun := false
	err := s.rebuild(at(PhaseFold, func(context.Context) error { begun = true; return nil })).Run(t.Context())
	if err == nil || begun || !strings.Contains(err.Error(), "index "+live+" is closed") || !strings.Contains(err.Error(), "_open") {
		t.Errorf("begun %v, got %v", begun, err)
	}
	s.request("POST", "/"+live+"/_open?wait_for_active_shards=1", "")
	s.ok()
	s.right()
}

// A private alias that somebody takes away behind the swap comes back, and an index
// without it is still known to be unfinished. One that is gone itself ends the
// rebuild.
func TestTheIndexLosesItsPrivateAlias(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	lose := func(ctx context.Context) error {
		left, err := s.client.Unfinished(ctx)
		for _, next := range left {
			s.request("DELETE", "/"+next.Index+"/_alias/"+next.Alias, "")
		}
		s.post("b", 1)
		return err
	}
	s.ok(at(PhaseDrain, lose))
	s.right()
	err := s.rebuild(at(PhaseDrain, func(ctx context.Context) error { return errors.Join(lose(ctx), errKilled) })).Run(t.Context())
	if !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if left, err := s.client.Unfinished(t.Context()); err != nil || len(left) != 2 {
		t.Errorf("unfinished: %v, %v", left, err)
	}
	s.post("c", 1)
	if err := s.rebuild().Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.right()
	err = s.rebuild(only(document.Post), at(PhaseDrain, func(context.Context) error {
		s.post("d", 1)
		s.request("DELETE", "/"+s.live(), "")
		return nil
	})).Run(t.Context())
	if !errors.Is(err, index.ErrMoved) || !strings.Contains(err.Error(), "removed") {
		t.Errorf("got %v", err)
	}
}

// Seeded from the live index, a log that is cut while that is read is refused where
// the workers had not got so far: neither holds what lies between.
func TestCutWhileTheSeedIsRead(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	s.cut()
	before, behind := s.live(), s.post("b", 1)
	seeded := func(committed ...record.Position) func(*Parts, *Options) {
		return func(p *Parts, o *Options) {
			log := &cutting{Log: p.Log, s: s}
			p.Log, o.Seed = log, true
			p.Committed = func(context.Context) ([]record.Position, error) {
				log.armed = true
				return committed, nil
			}
		}
	}
	var refused *RefusedError
	err := s.rebuild(seeded()).Run(t.Context())
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "while the live index was read") || s.live() != before {
		t.Fatalf("got %v", err)
	}
	s.index(t.Context(), s.client, behind)
	read, err := s.reader.Ranges(t.Context(), s.kafka.FullTopics())
	if err != nil {
		t.Fatal(err)
	}
	report := s.ok(seeded(stream.Positions(read)...))
	if report.Documents != 2 {
		t.Errorf("%d documents, want a and b", report.Documents)
	}
}

// What a rebuild will need is not told by a live index that lacks most documents.
func TestPlanOfANearlyEmptyIndex(t *testing.T) {
	s := newStand(t)
	s.setup()
	const documents = 20
	for i := range documents {
		s.post(strconv.Itoa(i), 1)
	}
	s.publish("post.deleted", `{"post_id":"0","version":1}`)
	s.index(t.Context(), s.client, s.post("0", 1))
	plan, err := s.rebuild().Plan(t.Context())
	if err != nil || len(plan.Refusals) > 0 {
		t.Fatalf("%v, %v", err, plan.Refusals)
	}
	if least := documents * plan.EventBytes; plan.FoldNeed < least || plan.IndexNeed < least {
		t.Errorf("fold %d, index %d bytes, want %d or more", plan.FoldNeed, plan.IndexNeed, least)
	}
	if plan, err := s.rebuild(only(document.Artist)).Plan(t.Context()); err != nil || plan.FoldNeed > 0 {
		t.Errorf("of artists alone: %d bytes, %v", plan.FoldNeed, err)
	}
}

// cut removes all that is in the log.
func (s *stand) cut() {
	s.Helper()
	ranges, err := s.reader.Ranges(s.Context(), s.kafka.FullTopics())
	if err != nil {
		s.Fatal(err)
	}
	ends := map[record.Partition]int64{}
	for _, r := range ranges {
		if r.To > 0 {
			ends[r.Partition] = r.To
		}
	}
	if err := s.admin.DeleteRecords(s.Context(), ends); err != nil {
		s.Fatal(err)
	}
}

// cutting is a Log that is cut behind the first look at it once it is armed.
type cutting struct {
	Log
	s     *stand
	armed bool
}

func (c *cutting) Ranges(ctx context.Context, topics []string) ([]stream.Range, error) {
	ranges, err := c.Log.Ranges(ctx, topics)
	if c.armed {
		c.armed = false
		c.s.cut()
	}
	return ranges, err
}

// An old index that may not be removed stays, and does not hold up a rebuild that is
// done.
func TestAnOldIndexThatMayNotBeRemoved(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	refusing := s.connect(s.proxy(func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil || !strings.Contains(string(body), "remove_index") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.rebuild(func(p *Parts, o *Options) { p.Client, o.Keep = refusing, 0 }).Run(ctx)
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "remove the replaced index") {
		t.Errorf("got %v", err)
	}
	s.right()
}
