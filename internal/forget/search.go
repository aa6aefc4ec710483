// Package forget finds the records that still hold contents of one entity: events
// in their topics and dead letters. It removes nothing: Kafka can't remove a single
// record.
package forget

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/dlq"
	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/handlers"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Search looks for the records of one id. It is safe for concurrent use.
type Search struct {
	mux      *handlers.Mux
	id       string
	entities []document.Entity
	forms    [][]byte // the id as it may stand in JSON
}

// NewSearch returns a Search for an id of one of the entities. topicPrefix is as
// for [handlers.NewMux].
func NewSearch(topicPrefix, id string, entities ...document.Entity) *Search {
	s := &Search{mux: handlers.NewMux(topicPrefix), id: id, entities: entities, forms: [][]byte{[]byte(id)}}
	if quoted, err := jsontext.AppendQuote(nil, id); err == nil {
		if inner := quoted[1 : len(quoted)-1]; string(inner) != id {
			s.forms = append(s.forms, inner)
		}
	}
	return s
}

// Place is one record that holds contents of the entity, or may do so.
type Place struct {
	record.Partition
	Offset    int64
	Timestamp int64  // milliseconds, as of the record; -1 where it has none
	What      string // its event type, or why it was refused
	// Entity is that of the event; empty where the record mentions the id, and is too
	// broken to tell whose it is.
	Entity document.Entity
}

// Event reports whether r is an event of the entity, refused or not, or mentions
// the id and is too broken to tell whose it is.
func (s *Search) Event(r *record.Record) (Place, bool) {
	if !s.mayHold(r) {
		return Place{}, false
	}
	event, change, rejection := s.mux.Decode(r)
	p := Place{Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, What: event.Type}
	if rejection != nil {
		p.What = string(rejection.Reason)
	}
	if change.ID == "" {
		return p, s.mentions(r.Key) || s.mentions(r.Value)
	}
	p.Entity = change.Entity
	return p, change.ID == s.id && slices.Contains(s.entities, change.Entity)
}

// Letter is Event for a record of the dead-letter topic.
func (s *Search) Letter(r *record.Record) (Place, bool) {
	letter, err := dlq.Parse(r)
	if err != nil { // not written by this program
		return s.Event(r)
	}
	p, ok := s.Event(letter.Record)
	return Place{Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, What: letter.Reason, Entity: p.Entity}, ok
}

// mayHold is a quick look, which a log of millions of records needs. A value with a
// backslash may spell the id in many ways.
func (s *Search) mayHold(r *record.Record) bool {
	return bytes.IndexByte(r.Value, '\\') >= 0 || bytes.Contains(r.Value, s.forms[0]) || bytes.Contains(r.Key, s.forms[0])
}

// mentions reports whether text holds the id as a word of its own.
func (s *Search) mentions(text []byte) bool {
	for _, form := range s.forms {
		for rest := text; ; {
			i := bytes.Index(rest, form)
			if i < 0 || len(form) == 0 {
				break
			}
			end := i + len(form)
			if (i == 0 || !isWord(rest[i-1])) && (end == len(rest) || !isWord(rest[end])) {
				return true
			}
			rest = rest[i+1:]
		}
	}
	return false
}

func isWord(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || strings.IndexByte("_-", b) >= 0
}
