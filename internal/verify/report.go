package verify

import (
	"github.com/search-indexer/search-indexer/internal/document"
)

// Report is what a Verify has found.
type Report struct {
	Findings

	Events  int64     `json:"events"`        // that the fold holds
	Bad     int64     `json:"bad_records"`   // that no index can take
	Letters int64     `json:"letter_events"` // with an open dead letter, which need not be in the index
	Sample  int       `json:"sample"`        // 0 where every document was looked at
	Repair  *Repair   `json:"repair,omitempty"`
	After   *Findings `json:"after_repair,omitempty"`
	Notes   []string  `json:"notes"`
	Seconds float64   `json:"seconds"`
	Error   string    `json:"error,omitempty"` // why not all was looked at
}

// Left returns how many documents differ in the end.
func (r *Report) Left() int64 {
	if r.After != nil {
		return r.After.Differences
	}
	return r.Differences
}

func (r *Report) note(text string) { r.Notes = append(r.Notes, text) }

// Findings is what one look at all documents has found.
type Findings struct {
	Entities    []*Entity    `json:"entities"`
	Differences int64        `json:"differences"` // documents that differ
	Listed      []Difference `json:"listed"`      // the first ones of each class
	// Unread is how many events lie behind what the group had committed: documents
	// may hold them or not.
	Unread int64 `json:"unread_events"`

	limit int
}

// Entity is what was found of one entity.
type Entity struct {
	Entity    document.Entity `json:"entity"`
	Index     string          `json:"index"`
	Documents int64           `json:"documents"` // that were looked at, tombstones included
	Right     int64           `json:"right"`
	Classes   map[Class]int64 `json:"differences"`
	// Unknown to a log that does not hold everything, and counted as right.
	Unknown int64 `json:"unknown_to_the_log"`
	Letters int64 `json:"differences_with_dead_letters"` // of the differences
}

// Difference is a document that is not what the log says.
type Difference struct {
	Entity     document.Entity `json:"entity"`
	ID         string          `json:"id"`
	Index      string          `json:"index"`
	Class      Class           `json:"class"`
	Fields     []string        `json:"fields"` // members that differ; none where the document is not there or should not be
	DeadLetter bool            `json:"dead_letter"`
}

func newFindings(v *Verify) Findings {
	f := Findings{Entities: []*Entity{}, Listed: []Difference{}, limit: v.options.Limit}
	for _, entity := range v.options.Entities {
		e := &Entity{Entity: entity, Index: v.indices[entity], Classes: map[Class]int64{}}
		for _, class := range Classes() {
			e.Classes[class] = 0
		}
		f.Entities = append(f.Entities, e)
	}
	return f
}

func (f *Findings) of(entity document.Entity) *Entity {
	for _, e := range f.Entities {
		if e.Entity == entity {
			return e
		}
	}
	panic("verify: entity that was not asked for: " + string(entity))
}

// checked counts documents that were looked at; those are right that add does not
// take back.
func (f *Findings) checked(entity document.Entity, n int64) {
	e := f.of(entity)
	e.Documents += n
	e.Right += n
}

// documents returns how many were looked at.
func (f *Findings) documents() int64 {
	var n int64
	for _, e := range f.Entities {
		n += e.Documents
	}
	return n
}

// add counts a document that was judged.
func (f *Findings) add(index string, s *suspect, class Class, fields []string) {
	e := f.of(s.Entity)
	switch class {
	case Right:
		return
	case Unknown:
		e.Unknown++
		return
	}
	f.Differences++
	e.Right--
	e.Classes[class]++
	if s.letter {
		e.Letters++
	}
	listed := 0
	for _, d := range f.Listed {
		if d.Class == class {
			listed++
		}
	}
	if listed < f.limit {
		f.Listed = append(f.Listed, Difference{s.Entity, s.ID, index, class, append([]string{}, fields...), s.letter})
	}
}
