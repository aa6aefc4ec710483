package rebuild

import (
	"sync/atomic"
	"time"

	"github.com/search-indexer/search-indexer/internal/document"
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
	Error         string            `json:"error,omitempty"` // why not all was done
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
