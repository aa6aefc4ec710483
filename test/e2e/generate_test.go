package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestEqualPlansGiveEqualRecords(t *testing.T) {
	a, b := Generate(smallPlan(1)), Generate(smallPlan(1))
	if !reflect.DeepEqual(a, b) {
		t.Fatal("the same plan gave different records")
	}
	if reflect.DeepEqual(a, Generate(smallPlan(2))) {
		t.Fatal("another seed gave the same records")
	}
}

// The generator knows what it spoilt, the reference what it read: each checks
// the other.
func TestReferenceReadsWhatTheGeneratorMeant(t *testing.T) {
	for seed, s := range streams {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			for i, r := range s().records {
				_, err := Read(r)
				var b bad
				errors.As(err, &b)
				if b.reason != r.Reason {
					t.Fatalf("record %d, rule %q: want reason %q, reference says %v\n%.600s", i, r.Rule, r.Reason, err, r.Value)
				}
			}
		})
	}
}

func TestEveryRuleAndReasonIsGenerated(t *testing.T) {
	rules, reasons := map[string]int{}, map[string]int{}
	for _, r := range streams[1]().records {
		rules[r.Rule]++
		reasons[r.Reason]++
	}
	for _, rule := range garbage() {
		if rules[rule.name] == 0 {
			t.Errorf("rule %q is never broken", rule.name)
		}
	}
	for _, reason := range []string{
		"invalid_json", "empty_value", "invalid_event", "unknown_event_type", "invalid_id",
		"invalid_timestamp", "invalid_version", "reserved_field", "invalid_field",
	} {
		if reasons[reason] == 0 {
			t.Errorf("reason %q never comes up", reason)
		}
		delete(reasons, reason)
	}
	if delete(reasons, ""); len(reasons) > 0 {
		t.Errorf("reasons that the contract does not know: %v", reasons)
	}
}

// The suite is only as good as its input: this says that the hard cases are in it.
func TestStreamIsAdversarial(t *testing.T) {
	p, s := plan(1), streams[1]()
	records := s.records
	if len(records) < p.Records {
		t.Errorf("%d records, want %d at least", len(records), p.Records)
	}
	partitions := map[Key]map[int32]bool{}
	counts := map[string]int{}
	for _, r := range records {
		ev, err := Read(r)
		if err != nil {
			continue
		}
		k := Key{ev.Entity, ev.ID}
		if partitions[k] == nil {
			partitions[k] = map[int32]bool{}
		}
		partitions[k][r.Partition] = true
		if ev.Delete && ev.Version == final {
			counts["deletes without a version"]++
		}
		if len(r.Value) > 0 && r.Value[0] == 0 {
			counts["framed values"]++
		}
		if r.Topic == foreignTopic {
			counts["events on a foreign topic"]++
		}
	}
	for _, in := range partitions {
		if len(in) > 1 {
			counts["entities in several partitions"]++
		}
	}
	documents := s.want
	for _, d := range documents {
		if !d.Visible {
			counts["tombstones"]++
		} else if d.DeletedAt > 0 {
			counts["restored documents"]++
		}
		for _, values := range d.Fields {
			if len(values) > 1 {
				counts["fields that tie"]++
			}
		}
	}
	if len(documents) != p.Entities {
		t.Errorf("%d documents of %d entities", len(documents), p.Entities)
	}
	for _, name := range []string{
		"deletes without a version", "framed values", "events on a foreign topic",
		"entities in several partitions", "tombstones", "restored documents", "fields that tie",
	} {
		if counts[name] < 50 {
			t.Errorf("%d %s, want 50 at least", counts[name], name)
		}
	}
	t.Logf("%d records, %d documents, %v", len(records), len(documents), counts)
}

func TestReferenceDoesNotCareForOrder(t *testing.T) {
	var events []Event
	for _, r := range Generate(smallPlan(4)) {
		if ev, err := Read(r); err == nil {
			events = append(events, ev)
		}
	}
	want := Fold(events)
	rng := rand.New(rand.NewPCG(4, 4))
	for range 5 {
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		got := Fold(append(events, events[:len(events)/3]...)) // some of them twice
		for k, d := range want {
			if !sameDocument(d, got[k]) {
				t.Fatalf("%s: in another order, %+v became %+v", k, d, got[k])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d documents became %d", len(want), len(got))
		}
	}
}

func sameDocument(a, b Document) bool {
	if a.Visible != b.Visible || a.Version != b.Version || a.DeletedAt != b.DeletedAt || len(a.Fields) != len(b.Fields) {
		return false
	}
	for name, values := range a.Fields {
		if len(values) != len(b.Fields[name]) {
			return false
		}
		for _, v := range values {
			if !contains(b.Fields[name], v) {
				return false
			}
		}
	}
	return true
}
