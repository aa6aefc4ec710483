package dlq

import (
	"context"
	"fmt"
	"slices"

	"github.com/search-indexer/search-indexer/internal/record"
)

// PurgePlan says what a purge would do. Kafka removes records only from the front of
// a partition, so a letter that may go stays while one before it must stay.
type PurgePlan struct {
	MayGo  int `json:"may_go"`  // letters that were chosen
	Goes   int `json:"deleted"` // of these: letters of which nothing stays
	Open   int `json:"open"`    // of those that go: not acknowledged
	Behind int `json:"behind"`  // of the chosen: behind one that must stay
	Stays  int `json:"stays"`   // letters that must stay
	// Strangers go or stay as the letters around them: records that are no letters.
	Strangers int `json:"no_letters_deleted"`

	before    map[record.Partition]int64 // records before the offset are deleted
	forgotten []string                   // acknowledgements of letters that are gone then
}

// PlanPurge returns how to remove the letters that mayGo chooses, and the strangers
// that strangers chooses.
func (l *Listing) PlanPurge(mayGo func(*Entry) bool, strangers func(Stranger) bool) PurgePlan {
	plan := PurgePlan{before: l.front(mayGo, strangers)}
	remaining := map[string]bool{}
	for _, e := range l.Letters {
		gone := !slices.ContainsFunc(e.Copies, func(p Place) bool { return !plan.removes(p) })
		plan.count(e, mayGo(e), gone)
		remaining[e.Name.String()] = !gone
	}
	for _, s := range l.Strangers {
		if plan.removes(s.Place) {
			plan.Strangers++
		}
	}
	for name := range l.acks {
		if !remaining[name] {
			plan.forgotten = append(plan.forgotten, name)
		}
	}
	for _, stretch := range l.ranges { // those in which nothing goes
		if plan.before[stretch.Partition] <= stretch.From {
			delete(plan.before, stretch.Partition)
		}
	}
	return plan
}

// front returns for each partition the first offset that must stay.
func (l *Listing) front(mayGo func(*Entry) bool, strangers func(Stranger) bool) map[record.Partition]int64 {
	front := make(map[record.Partition]int64, len(l.ranges))
	for _, stretch := range l.ranges {
		front[stretch.Partition] = stretch.To
	}
	stay := func(p Place) { front[p.Partition] = min(front[p.Partition], p.Offset) }
	for _, e := range l.Letters {
		if !mayGo(e) {
			for _, p := range e.Copies {
				stay(p)
			}
		}
	}
	for _, s := range l.Strangers {
		if !strangers(s) {
			stay(s.Place)
		}
	}
	return front
}

func (p *PurgePlan) removes(at Place) bool { return at.Offset < p.before[at.Partition] }

func (p *PurgePlan) count(e *Entry, chosen, gone bool) {
	switch {
	case !chosen:
		p.Stays++
	case !gone:
		p.MayGo++
		p.Behind++
	default:
		p.MayGo++
		p.Goes++
		if e.Open() {
			p.Open++
		}
	}
}

// Deleter removes records, as [stream.Admin] does.
type Deleter interface {
	DeleteRecords(ctx context.Context, before map[record.Partition]int64) error
}

// Purge carries a plan out, and then removes the acknowledgements of all letters
// that are gone, be it by the topic's own retention.
func (r *Reader) Purge(ctx context.Context, plan PurgePlan, deleter Deleter, producer Publisher) error {
	if err := deleter.DeleteRecords(ctx, plan.before); err != nil {
		return fmt.Errorf("purge %s: %w", r.topic, err)
	}
	if len(plan.forgotten) == 0 {
		return nil
	}
	acks := ledger{producer: producer, topic: DoneTopic(r.topic)}
	for _, name := range plan.forgotten {
		acks.forget(ctx, name)
	}
	flushed := producer.Flush(ctx)
	if _, err := acks.failures(); err != nil {
		return fmt.Errorf("remove acknowledgements in %s: %w", acks.topic, err)
	}
	return flushed
}
