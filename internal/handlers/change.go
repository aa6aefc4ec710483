package handlers

import (
	"fmt"

	"github.com/search-indexer/search-indexer/internal/document"
)

// Event is what is known of an event for tracing. It is filled as far as the
// event could be read, also where it is rejected.
type Event struct {
	ID            string // event_id, else "topic/partition/offset"; 1 to 128 bytes where it is the publisher's
	CorrelationID string // 256 bytes at most, valid UTF-8; empty where neither body nor header has one
	// Type is a known one, such as "post.created". Where the body breaks off
	// before it names a type, that of the topic; empty where it is unknown.
	Type   string
	Entity document.Entity // that the type is of; empty where it could not be told
}

// Change is one good event as a State of one document.
type Change struct {
	document.Key
	State document.Packed
	// Digest names what the event does: equal digests mean equal changes, so
	// one that was written once need not be written again.
	Digest [16]byte
}

// Time returns the time of the event, in microseconds since 1970. It takes part in
// Digest.
func (c Change) Time() int64 {
	head := c.State.Head()
	if head.Seen.IsZero() {
		return head.Floor.Time
	}
	return head.Seen.Time
}

// Reason says why an event is bad, in the word that is written to the letter.
type Reason string

// Why an event is rejected; the contract with publishers, as docs/schemas tell it.
const (
	InvalidJSON      Reason = "invalid_json"
	EmptyValue       Reason = "empty_value"
	InvalidEvent     Reason = "invalid_event"
	UnknownEventType Reason = "unknown_event_type"
	InvalidID        Reason = "invalid_id"
	InvalidTimestamp Reason = "invalid_timestamp"
	InvalidVersion   Reason = "invalid_version"
	ReservedField    Reason = "reserved_field"
	InvalidField     Reason = "invalid_field"
)

// Reasons returns every Reason.
func Reasons() []Reason {
	return []Reason{
		InvalidJSON, EmptyValue, InvalidEvent, UnknownEventType, InvalidID, InvalidTimestamp, InvalidVersion,
		ReservedField, InvalidField,
	}
}

// Rejection is the error of an event that its publisher has to mend. It is
// permanent: the same bytes are rejected for ever.
type Rejection struct {
	Reason Reason
	Detail string // names the member and at most 64 bytes of its value; for the letter, not for logs
}

// Error returns reason and detail.
func (r *Rejection) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Detail) }
