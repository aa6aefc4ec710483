package dlq

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/search-indexer/search-indexer/internal/record"
)

// The headers of a letter, behind the original ones. A record that carries one of
// them already keeps it; the last ones are ours.
const (
	HeaderReason        = "dlq.reason"
	HeaderError         = "dlq.error"     // at most MaxError bytes
	HeaderTopic         = "dlq.topic"     // of the original record, as are the next three
	HeaderPartition     = "dlq.partition" // decimal
	HeaderOffset        = "dlq.offset"    // decimal
	HeaderTimestamp     = "dlq.timestamp" // milliseconds since 1970, or -1
	HeaderEventID       = "dlq.event_id"
	HeaderCorrelationID = "dlq.correlation_id" // empty where the event had none
	HeaderFailedAt      = "dlq.failed_at"      // RFC 3339, UTC
)

// headerCount is how many headers of ours every letter has.
const headerCount = 9

// MaxError bounds dlq.error, in bytes.
const MaxError = 4 << 10

// Letter is a record that could not be indexed, and why. After a crash the same
// letter may be sent twice; see [Name].
type Letter struct {
	Record        *record.Record
	Reason        string // one word, such as invalid_json
	Error         string // for people; cut to MaxError bytes
	EventID       string
	CorrelationID string
	FailedAt      time.Time
}

// record returns the letter as a record of the dead-letter topic: key, value and
// headers are the original's, byte for byte.
func (l Letter) record(topic string) *record.Record {
	original := l.Record
	headers := make([]record.Header, 0, len(original.Headers)+headerCount)
	headers = append(headers, original.Headers...)
	for _, h := range [headerCount]struct{ key, value string }{
		{HeaderReason, l.Reason},
		{HeaderError, cut(l.Error, MaxError)},
		{HeaderTopic, original.Topic},
		{HeaderPartition, strconv.Itoa(int(original.ID))},
		{HeaderOffset, strconv.FormatInt(original.Offset, 10)},
		{HeaderTimestamp, strconv.FormatInt(original.Timestamp, 10)},
		{HeaderEventID, l.EventID},
		{HeaderCorrelationID, l.CorrelationID},
		{HeaderFailedAt, l.FailedAt.UTC().Format(time.RFC3339Nano)},
	} {
		headers = append(headers, record.Header{Key: h.key, Value: []byte(h.value)})
	}
	return &record.Record{
		Partition: record.Partition{Topic: topic, ID: -1},
		Key:       original.Key, Value: original.Value, Headers: headers,
	}
}

// cut shortens s to at most limit bytes without breaking a rune.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// Parse reads a record of the dead-letter topic back. The letter's record is the
// original one, with its own topic, place and timestamp; of its headers only the
// last ones are ours, so that those which a publisher named alike stay with it. An
// error means that this program has not written the record.
func Parse(r *record.Record) (Letter, error) {
	own := len(r.Headers) - headerCount
	if own < 0 {
		return Letter{}, fmt.Errorf("read letter: %d headers, a letter has %d or more", len(r.Headers), headerCount)
	}
	values := make(map[string]string, headerCount)
	for _, h := range r.Headers[own:] {
		values[h.Key] = string(h.Value)
	}
	for _, key := range headerKeys() {
		if _, ok := values[key]; !ok {
			return Letter{}, fmt.Errorf("read letter: %s is not among the last %d headers", key, headerCount)
		}
	}
	partition, badPartition := strconv.ParseInt(values[HeaderPartition], 10, 32)
	offset, badOffset := strconv.ParseInt(values[HeaderOffset], 10, 64)
	timestamp, badTimestamp := strconv.ParseInt(values[HeaderTimestamp], 10, 64)
	failedAt, badTime := time.Parse(time.RFC3339Nano, values[HeaderFailedAt])
	if err := errors.Join(badPartition, badOffset, badTimestamp, badTime); err != nil {
		return Letter{}, fmt.Errorf("read letter: %w", err)
	}
	original := &record.Record{
		Partition: record.Partition{Topic: values[HeaderTopic], ID: int32(partition)},
		Offset:    offset, Timestamp: timestamp, Key: r.Key, Value: r.Value,
	}
	if own > 0 {
		original.Headers = r.Headers[:own:own]
	}
	return Letter{
		Record: original, Reason: values[HeaderReason], Error: values[HeaderError],
		EventID: values[HeaderEventID], CorrelationID: values[HeaderCorrelationID], FailedAt: failedAt,
	}, nil
}

func headerKeys() [headerCount]string {
	return [headerCount]string{
		HeaderReason, HeaderError, HeaderTopic, HeaderPartition, HeaderOffset, HeaderTimestamp,
		HeaderEventID, HeaderCorrelationID, HeaderFailedAt,
	}
}

// Place is the place of one record.
type Place struct {
	record.Partition
	Offset int64
}

func placeOf(r *record.Record) Place { return Place{r.Partition, r.Offset} }

// String returns "topic/partition/offset".
func (p Place) String() string { return p.Partition.String() + "/" + strconv.FormatInt(p.Offset, 10) }

// ParsePlace reads "topic/partition/offset", or "partition/offset" of the given
// topic.
func ParsePlace(text, topic string) (Place, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 3 && parts[0] != "" {
		topic, parts = parts[0], parts[1:]
	}
	if len(parts) == 2 {
		partition, badPartition := strconv.ParseInt(parts[0], 10, 32)
		offset, badOffset := strconv.ParseInt(parts[1], 10, 64)
		if badPartition == nil && badOffset == nil && partition >= 0 && offset >= 0 {
			return Place{record.Partition{Topic: topic, ID: int32(partition)}, offset}, nil
		}
	}
	return Place{}, fmt.Errorf("%q is no place: use PARTITION/OFFSET or TOPIC/PARTITION/OFFSET", text)
}

// Name tells letters apart: copies of one letter have one name. The place alone
// would not do, since a topic that was made again under its name has the same places
// with other records. Of equal names the records do the same.
type Name struct {
	Place          // of the original record
	Digest [8]byte // of its timestamp, key and value
}

// String returns "topic/partition/offset/digest", the key of an acknowledgement.
func (n Name) String() string { return n.Place.String() + "/" + hex.EncodeToString(n.Digest[:]) }

// NameOf names the letter of a record, whether it has been written or not.
func NameOf(original *record.Record) Name {
	hash := sha256.New()
	var frame [16]byte                                                // the key's length keeps key and value apart
	binary.BigEndian.PutUint64(frame[:8], uint64(original.Timestamp)) //nolint:gosec // the bits matter
	binary.BigEndian.PutUint64(frame[8:], uint64(len(original.Key)))
	_, _ = hash.Write(frame[:])
	_, _ = hash.Write(original.Key)
	_, _ = hash.Write(original.Value)
	return Name{Place: placeOf(original), Digest: [8]byte(hash.Sum(nil)[:8])}
}
