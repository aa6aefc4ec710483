package dlq

import (
	"slices"
	"time"
)

// Filter chooses letters; the zero Filter matches every one. A letter matches where
// it meets all that is set.
type Filter struct {
	Reasons []string  // one of these
	Topics  []string  // original topic, with its prefix: one of these
	Entity  string    // such as "post"
	ID      string    // of the document, or where that can't be read the record's key
	Since   time.Time // failed at or after
	Before  time.Time // failed before
	Places  []Place   // at one of these, be it that of a copy or of the original record
}

// Match reports whether e meets the filter.
func (f Filter) Match(e *Entry) bool {
	return (len(f.Reasons) == 0 || slices.Contains(f.Reasons, e.Reason)) &&
		(len(f.Topics) == 0 || slices.Contains(f.Topics, e.Topic)) &&
		(f.Entity == "" || f.Entity == string(e.Document.Entity)) &&
		(f.ID == "" || f.ID == e.Document.ID || e.Document.ID == "" && f.ID == e.recordKey) &&
		(f.Since.IsZero() || !e.FailedAt.Before(f.Since)) &&
		(f.Before.IsZero() || e.FailedAt.Before(f.Before)) &&
		(len(f.Places) == 0 || slices.ContainsFunc(f.Places, e.standsAt))
}

func (e *Entry) standsAt(p Place) bool { return e.Place == p || slices.Contains(e.Copies, p) }

// IsZero reports whether f matches every letter.
func (f Filter) IsZero() bool {
	return len(f.Reasons) == 0 && len(f.Topics) == 0 && f.Entity == "" && f.ID == "" &&
		f.Since.IsZero() && f.Before.IsZero() && len(f.Places) == 0
}

// Matching returns the letters that meet f, the acknowledged ones only where done
// says so.
func (l *Listing) Matching(f Filter, done bool) []*Entry {
	var matching []*Entry
	for _, e := range l.Letters {
		if (done || e.Open()) && f.Match(e) {
			matching = append(matching, e)
		}
	}
	return matching
}

// Find returns the letters at a place, be it that of a copy in the dead-letter topic
// or of the original record. There are several only where a topic was made again
// under its name.
func (l *Listing) Find(p Place) []*Entry {
	return l.Matching(Filter{Places: []Place{p}}, true)
}
