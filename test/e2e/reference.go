package e2e

import (
	"cmp"
	"fmt"
)

// Key names a document.
type Key struct{ Entity, ID string }

func (k Key) String() string { return fmt.Sprintf("%s %q", k.Entity, k.ID) }

// Document is what must come of one entity's events.
type Document struct {
	Visible   bool
	Version   int64
	DeletedAt int64 // milliseconds; the latest record time of a delete, 0 without
	// Fields has the values that each field may have: more than one only where
	// different events tie in version and time, which is decided by a digest
	// that is none of the reference's business.
	Fields map[string][]any
}

// place is where an event stands in its document's history, as far as version
// and time tell. A delete stands above the writes of its version and time.
type place struct {
	version, micros int64
	delete          bool
}

func (p place) compare(q place) int {
	rank := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(p.version, q.version), cmp.Compare(p.micros, q.micros), cmp.Compare(rank(p.delete), rank(q.delete)))
}

// Fold returns the documents that must come of events, whatever their order.
func Fold(events []Event) map[Key]Document {
	histories := make(map[Key][]Event)
	for _, ev := range events {
		k := Key{ev.Entity, ev.ID}
		histories[k] = append(histories[k], ev)
	}
	documents := make(map[Key]Document, len(histories))
	for k, history := range histories {
		documents[k] = fold(history)
	}
	return documents
}

func fold(history []Event) Document {
	var d Document
	var floor, seen *place
	for _, ev := range history {
		p := place{ev.Version, ev.Micros, ev.Delete}
		highest := &seen
		if ev.Delete {
			highest = &floor
			d.DeletedAt = max(d.DeletedAt, ev.RecordTime)
		}
		if *highest == nil || p.compare(**highest) > 0 {
			*highest = &p
		}
	}
	d.Visible = seen != nil && (floor == nil || seen.compare(*floor) > 0)
	switch { // what stands highest says it; a delete without a version has none to say
	case d.Visible:
		d.Version = seen.version
	case floor != nil && floor.version != final:
		d.Version = floor.version
	}
	d.Fields = fields(history, floor)
	return d
}

// fields takes, for each field that an event above the floor carries, the values
// of the events that stand highest.
func fields(history []Event, floor *place) map[string][]any {
	highest := make(map[string]place)
	values := make(map[string][]any)
	for _, ev := range history {
		p := place{ev.Version, ev.Micros, ev.Delete}
		if ev.Delete || floor != nil && p.compare(*floor) <= 0 {
			continue
		}
		for name, v := range ev.Fields {
			before, known := highest[name]
			switch {
			case !known || p.compare(before) > 0:
				highest[name], values[name] = p, []any{v}
			case p == before && !contains(values[name], v):
				values[name] = append(values[name], v)
			}
		}
	}
	return values
}

func contains(values []any, v any) bool {
	for _, known := range values {
		if Same(known, v) {
			return true
		}
	}
	return false
}
