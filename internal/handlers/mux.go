// Package handlers turns the value of a Kafka record into a validated change of
// one document, or into the reason why its publisher has to mend it.
//
// Whether an event is good is decided from its record alone: what a Mux takes,
// OpenSearch takes with this project's templates. It does no I/O, so every
// rejection is permanent. It does not decide which event wins (package document)
// and knows nothing of dead letters.
package handlers

import (
	"cmp"
	"strings"
	"sync"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Mux decodes records by their event type. It is safe for concurrent use.
type Mux struct {
	topicPrefix string
	routes      map[string]route
	scanners    sync.Pool
}

// route is what an event type leads to.
type route struct {
	eventType string
	entity    *Entity
	deletes   bool
}

// unread is the change of an event that tells no more than where it leads.
func (r route) unread() Change {
	if r.entity == nil {
		return Change{}
	}
	return Change{Key: document.Key{Entity: r.entity.Name}}
}

// NewMux returns a Mux for the events of all [Entities]. topicPrefix is what
// stands in front of the topics' names; it is cut off where the name of the
// topic tells the event type.
func NewMux(topicPrefix string) *Mux {
	m := &Mux{topicPrefix: topicPrefix, routes: make(map[string]route)}
	names := make(map[string]string)
	for _, entity := range Entities() {
		for _, eventType := range entity.EventTypes {
			deletes := strings.HasSuffix(eventType, ".deleted")
			m.routes[eventType] = route{eventType: eventType, entity: &entity, deletes: deletes}
		}
		for name := range entity.Fields {
			names[name] = name
		}
		names[entity.IDMember] = entity.IDMember
	}
	for _, name := range []string{"event_type", "event_id", "correlation_id", "timestamp", document.VersionField, "data"} {
		names[name] = name
	}
	m.scanners.New = func() any { return &scanner{names: names} }
	return m
}

// Decode reads one record. The event is filled as far as it can be read, also
// where it is rejected; of a rejected event the change holds the Key alone, as far
// as it can be told. Neither
// shares memory with the record. Only the first fault is told,
// in this turn: no value, JSON, an object, event type, data, id, event id,
// correlation id, version, timestamp, fields as they come.
func (m *Mux) Decode(r *record.Record) (Event, Change, *Rejection) {
	s := m.scanners.Get().(*scanner) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		s.reset(nil)
		m.scanners.Put(s)
	}()
	malformed := s.read(unframed(r.Value))
	way, unknown := m.route(r, s.eventType)
	eventID, badEventID := eventID(s.eventID, r)
	correlationID, badCorrelation := correlationID(s.correlationID, r)
	event := Event{ID: eventID, CorrelationID: correlationID, Type: way.eventType}
	if way.entity != nil {
		event.Entity = way.entity.Name
	}

	if rejection := cmp.Or(malformed, unknown, s.dataFault()); rejection != nil {
		return event, way.unread(), rejection
	}
	id, badID := s.entityID(way.entity)
	order, badOrder := s.order(way, r)
	if rejection := cmp.Or(badID, badEventID, badCorrelation, badOrder, s.checkFields(way.entity)); rejection != nil {
		rejected := way.unread()
		rejected.ID = id
		return event, rejected, rejection
	}
	return event, s.change(way, id, order, r), nil
}

// unframed returns value without the header that Confluent's serializers put in
// front: a zero byte, which no JSON begins with, and 4 bytes of schema id.
func unframed(value []byte) []byte {
	const header = 5
	if len(value) >= header && value[0] == 0 {
		return value[header:]
	}
	return value
}

// route finds the way of an event by its event type, or where it has none by the
// name of its topic.
func (m *Mux) route(r *record.Record, eventType []byte) (route, *Rejection) {
	if eventType == nil {
		name, ours := strings.CutPrefix(r.Topic, m.topicPrefix)
		if way, ok := m.routes[name]; ok && ours {
			return way, nil
		}
		return route{}, reject(UnknownEventType, "no event_type, and topic %q is none", excerpt(r.Topic))
	}
	if eventType[0] == '"' {
		if way, ok := m.routes[string(unquoted(eventType))]; ok {
			return way, nil
		}
	}
	return route{}, reject(UnknownEventType, "event_type is unknown: %s", excerpt(eventType))
}
