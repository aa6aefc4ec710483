package handlers

import "github.com/search-indexer/search-indexer/internal/document"

// Entity describes the events of one kind of document: the one place that knows
// what a post or an artist looks like.
type Entity struct {
	Name       document.Entity
	IDMember   string          // the member of the data that names the document
	EventTypes []string        // created, updated, deleted; also the names of their topics
	Fields     map[string]Kind // the known schema; every field is optional
}

// Entities returns the entities that a Mux reads, each value new.
func Entities() []Entity { return []Entity{post(), artist()} }

// Kind says which values a field of the known schema can take, which are those
// that the field's mapping in OpenSearch can take.
type Kind string

// Null is a value of every kind.
const (
	// Text takes a string, a number, a boolean or a list of these.
	Text Kind = "text"
	// Keyword takes what Text takes, and is searched as a whole.
	Keyword Kind = "keyword"
	// Number takes a number within the range of a double.
	Number Kind = "number"
	// Date takes a date or an RFC 3339 text, with or without zone and fraction
	// (9 digits at most, zones to ±18:00), or integer milliseconds since 1970.
	Date Kind = "date"
)

// takes reports whether a field of kind k can hold raw, a valid JSON value that
// is nested as deep as depth says.
func (k Kind) takes(raw []byte, depth int) bool {
	if raw[0] == 'n' {
		return true
	}
	switch k {
	case Number:
		return isNumber(raw) && isFinite(raw)
	case Date:
		return isDateValue(raw)
	default: // Text and Keyword
		return depth == 0 || depth == 1 && raw[0] == '['
	}
}
