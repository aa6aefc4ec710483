// Package document holds the one rule that decides what a document looks like:
// State and Join. A State is what is known of one document; Join brings two
// together. Join is commutative, associative and idempotent, so the result is
// the same in whatever order, grouping or repetition events arrive, and nothing
// else in this program (nor in OpenSearch, whose script is this same rule) needs
// to care about order.
//
// It is not for reading events (package handlers) or for talking to OpenSearch
// (package index); it imports nothing of this project.
package document

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// Entity is the kind of a document.
type Entity string

// The entities that the platform publishes.
const (
	Post   Entity = "post"
	Artist Entity = "artist"
)

// Key names one document. It is comparable.
type Key struct {
	Entity Entity
	ID     string
}

// String returns "entity/id".
func (k Key) String() string { return string(k.Entity) + "/" + k.ID }

// Field is one top-level member of a document and the order of the event that
// set it. Objects and arrays inside are one value.
type Field struct {
	Name  string
	Value []byte // compact JSON on one line; "null" is a value like any other
	Order Order
}

// State is what is known of one document. The zero State knows nothing and is
// the neutral element of [Join]. A State is never changed once made, so it may
// be shared between goroutines.
type State struct {
	Fields []Field // sorted by name, names unique, each order above Floor
	Seen   Order   // the highest created or updated event above Floor
	Floor  Order   // the highest deleted event; it erased all at or below it
	// DeletedAt is the highest Kafka timestamp of a deleted event, in
	// milliseconds since 1970; 0 where there was none. It says how long a
	// tombstone has to stay, and takes no part in what wins.
	DeletedAt int64
}

// Upsert returns the State of one created or updated event, which sets each of
// fields at order. Their names must differ. The State keeps the slice, which is sorted.
func Upsert(order Order, fields []Field) State {
	// To sort places takes less than half the time that sorting fields does: a Field
	// is large, and the garbage collector looks at each one that moves.
	var few [32]place
	places := few[:0]
	for i := range fields {
		fields[i].Order = order
		places = append(places, placeOf(fields, i))
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return strings.Compare(fields[a.at].Name, fields[b.at].Name)
	})
	for i := range places {
		at := places[i].at
		for at < i { // it gave way to another since
			at = places[at].at
		}
		if at != i {
			fields[i], fields[at] = fields[at], fields[i]
		}
	}
	return State{Fields: fields, Seen: order}
}

// place is where a field stands in a list, and the number that the first eight
// bytes of its name make.
type place struct {
	prefix uint64
	at     int
}

func placeOf(fields []Field, at int) place {
	var prefix [8]byte
	copy(prefix[:], fields[at].Name)
	return place{prefix: binary.BigEndian.Uint64(prefix[:]), at: at}
}

// Delete returns the State of one deleted event. deletedAt is the timestamp of
// its Kafka record in milliseconds; one below 0 counts as 0.
func Delete(order Order, deletedAt int64) State {
	return State{Floor: order, DeletedAt: max(deletedAt, 0)}
}

// IsZero reports whether s knows nothing.
func (s State) IsZero() bool { return s.Seen.IsZero() && s.Floor.IsZero() && len(s.Fields) == 0 }

// Visible reports whether searches may find the document: something was written
// after the last delete.
func (s State) Visible() bool { return s.Seen.Above(s.Floor) }

// Version returns the highest version that counts in s, 0 where there is none: a
// delete without a version has none, and hides those below it.
func (s State) Version() int64 {
	if s.Floor.Version == FinalVersion {
		return 0
	}
	return max(s.Seen.Version, s.Floor.Version)
}

// Size returns roughly the bytes that s occupies when encoded.
func (s State) Size() int {
	const sync = 160
	n := sync
	for i := range s.Fields {
		n += len(s.Fields[i].Name) + len(s.Fields[i].Value) + 8
	}
	return n
}

// Equal reports whether a and b know the same, values compared byte for byte.
func Equal(a, b State) bool {
	return a.Seen == b.Seen && a.Floor == b.Floor && a.DeletedAt == b.DeletedAt &&
		slices.EqualFunc(a.Fields, b.Fields, func(x, y Field) bool {
			return x.Name == y.Name && x.Order == y.Order && bytes.Equal(x.Value, y.Value)
		})
}

// String describes s for test failures and debugging; it shows values, so it is
// not for logs.
func (s State) String() string { return string(s.AppendSource(nil)) }
