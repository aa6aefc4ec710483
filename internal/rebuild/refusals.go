package rebuild

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
	"github.com/search-indexer/search-indexer/internal/pipeline"
	"github.com/search-indexer/search-indexer/internal/record"
)

// refusals collects what OpenSearch has refused, in a bounded space. It is for many
// goroutines.
type refusals struct {
	mu        sync.Mutex
	of        marks  // documents of which something was refused
	documents int64  // whose whole State was refused while loading
	words     string // of OpenSearch, of the first
	events    []Refusal
	count     int64                      // of events
	first     map[record.Partition]int64 // offset of the first refused event
	bad       map[string]int64           // broken records, by reason
}

const (
	listedRefusals = 100
	judgedRefusals = 10_000 // of which it is found out whether they have become dead letters
)

func (r *refusals) document(key document.Key, out index.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.documents == 0 {
		r.words = out.Reason
	}
	r.documents++
	r.of.add(key)
}

// broken counts a record that no index can take.
func (r *refusals) broken(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad == nil {
		r.bad = map[string]int64{}
	}
	r.bad[reason]++
}

func (r *refusals) event(key document.Key, letter pipeline.Letter) {
	at := letter.Record
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.of.add(key)
	if len(r.events) < judgedRefusals {
		r.events = append(r.events, Refusal{Topic: at.Topic, Partition: at.ID, Offset: at.Offset, Reason: letter.Reason})
	}
	if r.first == nil {
		r.first = map[record.Partition]int64{}
	}
	if before, ok := r.first[at.Partition]; !ok || at.Offset < before {
		r.first[at.Partition] = at.Offset
	}
}

// marked tells whether something of a document was refused, or of one that has the
// same mark.
func (r *refusals) marked(key document.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of.has(key)
}

// drop forgets the events that known tells.
func (r *refusals) drop(known func(Refusal) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.events)
	r.events = slices.DeleteFunc(r.events, known)
	r.count -= int64(before - len(r.events))
}

// since returns where the first refused events lie: joined, but for the partitions
// that have any set back to it. It is empty where none was refused.
func (r *refusals) since(joined []record.Position) []record.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == 0 {
		return nil
	}
	since := slices.Clone(joined)
	for i, p := range since {
		if first, ok := r.first[p.Partition]; ok {
			since[i].Next = min(first, p.Next)
		}
	}
	return since
}

// recount forgets the events but for what documents they were of: they are refused,
// and told, once more.
func (r *refusals) recount() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.count = nil, 0
}

// told returns what was collected as a report of its own.
func (r *refusals) told() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := newReport()
	report.RejectedCount, report.Rejected = r.count, r.events[:min(len(r.events), listedRefusals)]
	report.Piecemeal = r.documents
	maps.Copy(report.Reasons, r.bad)
	return report
}

// marks remembers documents, however many, in 8 MiB: each by one bit of its hash, so
// it may take another for one of them. The zero marks remembers none.
type marks struct {
	seed maphash.Seed
	bits []uint64
}

const markedBits = 1 << 26

func (m *marks) add(key document.Key) {
	if m.bits == nil {
		m.seed, m.bits = maphash.MakeSeed(), make([]uint64, markedBits/64)
	}
	word, bit := m.place(key)
	m.bits[word] |= bit
}

// addAll takes every document for one of them.
func (m *marks) addAll() {
	m.add(document.Key{})
	for i := range m.bits {
		m.bits[i] = ^uint64(0)
	}
}

func (m *marks) has(key document.Key) bool {
	if m.bits == nil {
		return false
	}
	word, bit := m.place(key)
	return m.bits[word]&bit != 0
}

func (m *marks) place(key document.Key) (word int, bit uint64) {
	hash := maphash.Comparable(m.seed, key) % markedBits
	return int(hash / 64), 1 << (hash % 64)
}
