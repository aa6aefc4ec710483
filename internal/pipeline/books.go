package pipeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// books counts records in and out. They balance at every look: consumed equals
// the sum of all outcomes plus what is in flight.
type books struct {
	consumed   map[string]uint64 // by topic
	outcomes   map[outcomeKey]uint64
	dead       map[string]uint64 // by reason
	retries    map[string]uint64 // of actions, by reason
	inFlight   int
	rebalances uint64
}

type outcomeKey struct {
	entity document.Entity // empty where it could not be told
	result Result
}

func newBooks() books {
	return books{
		consumed: map[string]uint64{}, outcomes: map[outcomeKey]uint64{},
		dead: map[string]uint64{}, retries: map[string]uint64{},
	}
}

// Snapshot is the machine between two steps.
type Snapshot struct {
	Consumed   map[string]uint64 // records by topic
	Outcomes   []OutcomeCount
	Dead       map[string]uint64 // letters by reason
	Retries    map[string]uint64 // bulk actions to be tried again, by reason
	InFlight   int               // records
	Bytes      int               // of these
	Rebalances uint64
	Writes     int     // bulk requests under way
	Stalled    []Stall // indices that take nothing at the moment
	Partitions []PartitionSnapshot
}

// Stall is the index of one entity that takes nothing, and why (a reason of package
// index).
type Stall struct {
	Entity document.Entity
	Reason string
}

// OutcomeCount is one line of the books.
type OutcomeCount struct {
	Entity document.Entity // empty where it could not be told
	Result Result
	Count  uint64
}

// PartitionSnapshot is one partition that is ours.
type PartitionSnapshot struct {
	Partition record.Partition
	Next      int64 // every record below has ended
	InFlight  int
	// Oldest is the Kafka timestamp (ms) of the oldest record in flight, or when that
	// was received where it has none; -1 where nothing is in flight.
	Oldest int64
	Paused string // why it is paused; empty while it is read
}

// Snapshot returns a copy of the books and the partitions. It is for any
// goroutine.
func (m *Machine) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Snapshot{
		Consumed: maps.Clone(m.books.consumed), Dead: maps.Clone(m.books.dead),
		Retries: maps.Clone(m.books.retries), InFlight: m.books.inFlight,
		Rebalances: m.books.rebalances, Writes: len(m.writes),
	}
	for _, l := range m.lanes {
		if l.told.reason != "" && len(l.table) > 0 {
			s.Stalled = append(s.Stalled, Stall{l.entity, l.told.reason})
		}
	}
	for key, n := range m.books.outcomes {
		s.Outcomes = append(s.Outcomes, OutcomeCount{key.entity, key.result, n})
	}
	for name, part := range m.parts {
		p := PartitionSnapshot{Partition: name, Next: part.tracker.next, InFlight: part.flying, Oldest: -1, Paused: part.paused}
		if it := part.tracker.oldest(); it != nil {
			p.Oldest = it.timestamp
			if p.Oldest < 0 {
				p.Oldest = it.arrived().UnixMilli()
			}
		}
		s.Bytes += part.bytes
		s.Partitions = append(s.Partitions, p)
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionSnapshot) int {
		if c := strings.Compare(a.Partition.Topic, b.Partition.Topic); c != 0 {
			return c
		}
		return int(a.Partition.ID) - int(b.Partition.ID)
	})
	return s
}
