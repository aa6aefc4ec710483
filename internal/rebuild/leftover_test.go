package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

var errKilled = errors.New("killed") //nolint:errname // by the test

func kill(context.Context) error { return errKilled }

// The index that a rebuild replaces is the way back, also where a newer one is kept,
// from which was rolled back.
func TestTheWayBackIsKept(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1), s.post("b", 1))
	first := s.live()
	s.ok()
	second := s.live()
	if err := s.rebuild().Rollback(t.Context()); err != nil || s.live() != first {
		t.Fatalf("back to %s: %v, live is %s", first, err, s.live())
	}
	s.ok()
	if got := s.kept(); !slices.Equal(got, []string{first}) {
		t.Errorf("kept %v, want %s and not %s", got, first, second)
	}
	s.post("c", 1)
	back := s.rebuild()
	if err := back.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told := strings.Join(back.Report().Notes, "\n"); !strings.Contains(told, "run `indexer verify`") {
		t.Errorf("told %q of what replays and repairs wrote", told)
	}
	s.right()
	s.ok(func(_ *Parts, o *Options) { o.Keep = 0 })
	var refused *RefusedError
	if err := s.rebuild().Rollback(t.Context()); !errors.As(err, &refused) || !strings.Contains(err.Error(), "was not kept") {
		t.Errorf("without an index kept: %v", err)
	}
	s.right()
}

// A rollback that can't be done for one entity touches none.
func TestRollbackOfAllOrNone(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	s.ok(only(document.Post))
	before := s.live()
	var refused *RefusedError
	if err := s.rebuild().Rollback(t.Context()); !errors.As(err, &refused) || s.live() != before {
		t.Errorf("got %v, live is %s, before %s", err, s.live(), before)
	}
	if err := s.rebuild(only(document.Post)).Rollback(t.Context()); err != nil || s.live() == before {
		t.Errorf("of posts alone: %v", err)
	}
	s.right()
}

// A rollback that dies while it adopts the kept index, or later, leaves it kept.
func TestAbortedRollbackKeepsTheIndex(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	first := s.live()
	s.ok()
	second := s.live()
	alias := strings.Replace(first, "posts-", "posts-next-", 1)
	s.request("POST", "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q}}]}`, first, alias)) // Adopt's first step
	if err := s.rebuild().Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.kept(); !slices.Equal(got, []string{first}) {
		t.Fatalf("kept %v after an abort, want %s", got, first)
	}
	for _, phase := range []Phase{PhaseCatchUp, PhaseSwap} {
		if err := s.rebuild(at(phase, kill)).Rollback(t.Context()); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if got := s.kept(); !slices.Equal(got, []string{first}) || s.live() != second {
			t.Fatalf("%s: kept %v, live %s", phase, got, s.live())
		}
	}
	for _, phase := range []Phase{PhaseBlock, PhaseDrain} {
		late := func(context.Context) error {
			s.post(string(phase), 1)
			return errKilled
		}
		if err := s.rebuild(at(phase, late)).Rollback(t.Context()); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		b := s.rebuild()
		if err := b.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.Report().CaughtUp == 0 {
			t.Error("the report of a finish tells of no events")
		}
	}
	s.right()
}

// A lock that another has taken: nothing is swapped, blocked or taken back.
func TestLostLock(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	for _, phase := range []Phase{PhaseFold, PhaseLoad, PhaseCatchUp, PhaseSwap, PhaseBlock, PhaseDrain} {
		before := s.live()
		lock, err := s.client.Lock(t.Context(), index.LockRequest{Command: "rebuild", TTL: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		take := at(phase, func(context.Context) error {
			s.request("PUT", "/"+s.opened.IndexPrefix+"indexer-lock/_doc/exclusive", `{"owner":"another","command":"purge","expires_in":1}`)
			return nil
		})
		err = s.rebuild(take, func(p *Parts, _ *Options) { p.Lock = lock }).Run(lock.Context())
		swapped := slices.Index(Phases(), phase) > slices.Index(Phases(), PhaseSwap)
		if now := s.live(); swapped == (now == before) {
			t.Errorf("%s: live is %s, before %s", phase, now, before)
		}
		if phase != PhaseDrain && !errors.Is(err, index.ErrLockLost) && !errors.Is(context.Cause(lock.Context()), index.ErrLockLost) {
			t.Errorf("%s: %v", phase, err)
		}
		_ = lock.Release(t.Context())
		s.request("DELETE", "/"+s.opened.IndexPrefix+"indexer-lock", "")
		s.index(t.Context(), s.client, s.post(string(phase), 1)) // the live index takes writes
		if err := s.rebuild().Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.rebuild().Abort(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.right()
}
