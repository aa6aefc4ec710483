package rebuild

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/record"
)

// strict makes the new indices refuse fields that they do not know before the
// catch-up, where such an event is published.
func (s *stand) strict() func(*Parts, *Options) {
	return at(PhaseCatchUp, func(ctx context.Context) error {
		left, err := s.client.Unfinished(ctx)
		if err != nil {
			return err
		}
		for _, next := range left {
			s.request("PUT", "/"+next.Index+"/_mapping", `{"dynamic":"strict"}`)
		}
		s.publish("post.created", `{"post_id":"bad","version":1,"title":"t","unheard":1}`)
		return nil
	})
}

func acceptRejected(_ *Parts, o *Options) { o.AcceptRejected = true }

// What a new index refuses becomes dead letters once that index serves: not where it
// is refused itself, and whoever finishes the rebuild sends them.
func TestLettersComeWithTheSwap(t *testing.T) {
	s := newStand(t)
	s.setup()
	records := []*record.Record{s.post("a", 1)}
	for range 2 {
		records = append(records, s.post("b", 1), s.post("c", 1))
	}
	s.index(t.Context(), s.client, records...)
	before := s.live()
	few := func(context.Context) error { // so that the new index would show fewer
		left, err := s.client.Unfinished(t.Context())
		for _, next := range left {
			s.request("POST", "/"+next.Index+"/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`)
		}
		return err
	}
	var refused *RefusedError
	err := s.rebuild(s.strict(), acceptRejected, at(PhaseSwap, few)).Run(t.Context())
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "--accept-fewer") || s.live() != before {
		t.Fatalf("got %v", err)
	}
	if len(s.letters.sent) != 0 {
		t.Fatalf("%d letters of an index that does not serve", len(s.letters.sent))
	}
	for _, phase := range []Phase{PhaseBlock, PhaseDrain, ""} {
		s.letters.sent = nil
		b := s.rebuild(s.strict(), acceptRejected, at(phase, kill))
		if err := b.Run(t.Context()); phase != "" && !errors.Is(err, errKilled) || phase == "" && err != nil {
			t.Fatal(err)
		}
		if phase != "" {
			if len(s.letters.sent) != 0 {
				t.Errorf("%s: %d letters before", phase, len(s.letters.sent))
			}
			b = s.rebuild()
			if err := b.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.Report().RejectedCount; got == 0 || len(s.letters.sent) != int(got) {
			t.Errorf("%q: %d rejected, %d letters sent", phase, got, len(s.letters.sent))
		}
	}
}

// A letter that the broker does not take ends a rebuild in words; it is finished when
// the broker takes it.
func TestALetterThatTheBrokerRefuses(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	s.letters.full = errors.New("Broker: Message size too large")
	late := at(PhaseDrain, func(context.Context) error {
		s.publish("post.created", `{"post_id":"late","version":1,"title":"t","unheard":1}`)
		return nil
	})
	err := s.rebuild(s.strict(), acceptRejected, late).Run(t.Context())
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "too large") || !strings.Contains(err.Error(), "--finish") {
		t.Fatalf("got %v", err)
	}
	s.letters.full = nil
	b := s.rebuild()
	if err := b.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, letter := range s.letters.sent {
		sent = append(sent, string(letter.Record.Value))
	}
	slices.Sort(sent)
	if sent = slices.Compact(sent); len(sent) != 2 {
		t.Errorf("sent %v", sent)
	}
	if left, err := s.client.Unfinished(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("unfinished: %v, %v", left, err)
	}
}

// What a new index refuses, and the log no longer holds when it becomes a dead letter,
// is told by its place.
func TestALogThatIsCutBeforeTheLetters(t *testing.T) {
	s := newStand(t)
	s.setup()
	s.index(t.Context(), s.client, s.post("a", 1))
	report := s.ok(s.strict(), acceptRejected, at(PhaseDrain, func(context.Context) error { s.cut(); return nil }))
	told := strings.Join(report.Notes, "\n")
	if len(s.letters.sent) != 0 || !strings.Contains(told, s.kafka.TopicPrefix+"post.created/") || !strings.Contains(told, "is no dead letter") {
		t.Errorf("%d letters, told %q", len(s.letters.sent), told)
	}
	if strings.Count(told, "no dead letter") != 1 {
		t.Errorf("the partition of the refused event alone is to be told: %q", told)
	}
}

// However many documents are refused, they are remembered in the same space, and none
// of them is forgotten.
func TestRefusalsAreBounded(t *testing.T) {
	const many = 100_000
	var r refusals
	key := func(i int) document.Key { return document.Key{Entity: document.Post, ID: strconv.Itoa(i)} }
	if r.marked(key(1)) {
		t.Error("marked before any was refused")
	}
	for i := range many {
		r.document(key(i), index.Outcome{})
	}
	others := 0
	for i := range many {
		if !r.marked(key(i)) {
			t.Fatalf("document %d is forgotten", i)
		}
		if r.marked(key(many + i)) {
			others++
		}
	}
	if others > many/100 {
		t.Errorf("%d of %d others are taken for them", others, many)
	}
	if got := r.told().Piecemeal; got != many {
		t.Errorf("%d told", got)
	}
}
