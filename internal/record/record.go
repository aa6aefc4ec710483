// Package record names one Kafka record and its place, as every other package
// sees it. It knows nothing of the Kafka client, of JSON or of documents.
package record

import (
	"strconv"
	"strings"
)

// Partition names one partition of one topic. It is comparable, so it serves as
// a map key.
type Partition struct {
	Topic string `json:"topic"`
	ID    int32  `json:"partition"`
}

// String returns "topic/partition", the form used in logs and errors.
func (p Partition) String() string { return p.Topic + "/" + strconv.Itoa(int(p.ID)) }

// Header is one Kafka record header. Keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// Record is one Kafka record. Its slices are never changed after it was read, so
// a Record may be shared between goroutines.
type Record struct {
	Partition
	Offset int64
	// Timestamp is in milliseconds since 1970 as Kafka keeps it (create or
	// append time, as the topic is configured), or -1 where the record has none.
	Timestamp int64
	Key       []byte // nil where the record has no key
	Value     []byte // nil for a Kafka tombstone
	Headers   []Header
}

// Header returns the last value of the header whose key equals name, letter case
// aside, as later headers override earlier ones.
func (r *Record) Header(name string) (value []byte, ok bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if strings.EqualFold(r.Headers[i].Key, name) {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// Size returns the bytes that the record keeps in memory while it is in flight.
func (r *Record) Size() int {
	const overhead = 160 // the struct itself and its bookkeeping, measured roughly
	n := overhead + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
