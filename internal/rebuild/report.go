package rebuild

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/index"
)

// Report says what a rebuild has done.
type Report struct {
	Events     int64            `json:"events"`        // read, good and bad
	Reasons    map[string]int64 `json:"bad_by_reason"` // records that no index can take: dead letters of the live run
	Entities   int64            `json:"entities"`      // with at least one good event
	Documents  int64            `json:"documents"`     // loaded, visible ones
	Tombstones int64            `json:"tombstones"`    // loaded
	Expired    int64            `json:"expired"`       // tombstones that were not needed any more
	CaughtUp   int64            `json:"caught_up"`     // events that were joined after the fold
	// Piecemeal is of entities that OpenSearch refused as a whole, and that were
	// joined event by event. Entities = Documents + Tombstones + Expired + Piecemeal.
	Piecemeal int64 `json:"piecemeal"`
	// RejectedCount is of events that OpenSearch has refused; Rejected names the
	// first hundred.
	RejectedCount int64             `json:"rejected_count"`
	Rejected      []Refusal         `json:"rejected"`
	Indices       []Replaced        `json:"indices"`
	Removed       []string          `json:"removed"` // indices
	Notes         []string          `json:"notes"`
	FoldBytes     int64             `json:"fold_bytes"` // of disk, at the end of the fold
	Seconds       map[Phase]float64 `json:"seconds"`
}

// Replaced is an index that went live, and the one before it.
type Replaced struct {
	Entity document.Entity `json:"entity"`
	From   string          `json:"from"` // empty where there was none
	To     string          `json:"to"`
}

// Refusal is an event that OpenSearch has refused. Its words are in the dead letter.
type Refusal struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
}

func newReport() Report {
	return Report{
		Reasons: map[string]int64{}, Seconds: map[Phase]float64{},
		Rejected: []Refusal{}, Indices: []Replaced{}, Removed: []string{}, Notes: []string{},
	}
}

// add takes in the report of a part.
func (r *Report) add(part Report) {
	r.Events += part.Events
	r.Piecemeal += part.Piecemeal
	r.CaughtUp += part.CaughtUp
	r.RejectedCount += part.RejectedCount
	r.Rejected = append(r.Rejected, part.Rejected...)
	r.Indices = append(r.Indices, part.Indices...)
	r.Removed = append(r.Removed, part.Removed...)
	r.Notes = append(r.Notes, part.Notes...)
	for phase, seconds := range part.Seconds {
		r.Seconds[phase] += seconds
	}
	for reason, n := range part.Reasons {
		r.Reasons[reason] += n
	}
}

func (r *Report) took(phase Phase, d time.Duration) { r.Seconds[phase] += d.Seconds() }

func (r *Report) note(text string) { r.Notes = append(r.Notes, text) }

// loaded counts what became of documents. It is for many goroutines.
type loaded struct{ documents, tombstones, expired atomic.Int64 }

func (l *loaded) count(state document.State) {
	if state.Visible() {
		l.documents.Add(1)
	} else {
		l.tombstones.Add(1)
	}
}

// refusals collects what OpenSearch has refused. It is for many goroutines.
type refusals struct {
	mu        sync.Mutex
	documents map[document.Key]struct{} // whose whole State was refused while loading
	words     string                    // of OpenSearch, of the first
	events    []Refusal
	count     int64
	bad       map[string]int64 // broken records, by reason
}

const (
	listedRefusals = 100
	judgedRefusals = 10_000 // of which it is found out whether they have become dead letters
)

func (r *refusals) document(key document.Key, out index.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.documents == nil {
		r.documents = map[document.Key]struct{}{}
		r.words = out.Reason
	}
	r.documents[key] = struct{}{}
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

func (r *refusals) event(e Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if len(r.events) < judgedRefusals {
		r.events = append(r.events, e)
	}
}

// drop forgets the events that known tells.
func (r *refusals) drop(known func(Refusal) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.events)
	r.events = slices.DeleteFunc(r.events, known)
	r.count -= int64(before - len(r.events))
}

// told returns what was collected as a report of its own.
func (r *refusals) told() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := newReport()
	report.RejectedCount, report.Rejected = r.count, r.events[:min(len(r.events), listedRefusals)]
	report.Piecemeal = int64(len(r.documents))
	maps.Copy(report.Reasons, r.bad)
	return report
}
