package handlers

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/search-indexer/search-indexer/internal/document"
	"github.com/search-indexer/search-indexer/internal/record"
)

// Bounds of the names that an event carries, in bytes.
const (
	maxEntityID      = 512 // OpenSearch refuses a longer _id, and the whole bulk request with it
	maxEventID       = 128
	maxCorrelationID = 256 // the rest is cut off
)

// eventID returns the event's own id, or its place where it has none that is good.
func eventID(raw []byte, r *record.Record) (string, *Rejection) {
	place := func() string { return r.String() + "/" + strconv.FormatInt(r.Offset, 10) }
	if raw == nil {
		return place(), nil
	}
	if raw[0] == '"' {
		if id := unquote(raw); 0 < len(id) && len(id) <= maxEventID {
			return id, nil
		}
	}
	return place(), reject(InvalidEvent, "event_id is not a text of 1 to 128 bytes: %s", excerpt(raw))
}

// correlationID returns the body's correlation id as text, else the headers'.
func correlationID(raw []byte, r *record.Record) (string, *Rejection) {
	var id string
	var rejection *Rejection
	switch {
	case raw == nil:
	case raw[0] == '"':
		id = unquote(raw)
	case raw[0] == '{' || raw[0] == '[':
		rejection = reject(InvalidEvent, "correlation_id is not a scalar: %s", excerpt(raw))
	default:
		id = string(raw)
	}
	for _, name := range []string{"correlation-id", "X-Correlation-ID"} {
		if id != "" {
			break
		}
		value, _ := r.Header(name)
		id = strings.ToValidUTF8(string(value), "\uFFFD")
	}
	return clip(id, maxCorrelationID), rejection
}

// dataFault rejects data that is not an object.
func (m *members) dataFault() *Rejection {
	if m.data == nil || m.dataFields {
		return nil
	}
	return reject(InvalidEvent, "data is not an object: %s", excerpt(m.data))
}

// entityID reads the id of the document: a text, or an integer as its decimal text.
func (m *members) entityID(e *Entity) (string, *Rejection) {
	fields := m.fields()
	i := slices.IndexFunc(fields, func(f document.Field) bool { return f.Name == e.IDMember })
	if i < 0 {
		return "", reject(InvalidID, "the data has no %s", e.IDMember)
	}
	raw := fields[i].Value
	var id string
	switch {
	case raw[0] == '"':
		id = unquote(raw)
	case string(raw) == "-0":
		id = "0"
	case isInteger(raw):
		id = string(raw)
	}
	if id == "" || len(id) > maxEntityID {
		return "", reject(InvalidID, "%s is not a text of 1 to 512 bytes or an integer: %s", e.IDMember, excerpt(raw))
	}
	return id, nil
}

// order reads the place of the event in the history of its document. The digest
// is not part of it yet.
func (m *members) order(way route, r *record.Record) (document.Order, *Rejection) {
	version, rejection := m.versionOr(0)
	if way.deletes {
		version, rejection = m.versionOr(document.FinalVersion)
	}
	if rejection != nil {
		return document.Order{}, rejection
	}
	micros, rejection := timestamp(m.timestamp, r)
	return document.Order{Version: version, Time: micros}, rejection
}

// versionOr reads the version of the envelope, else that of the data, else
// returns none.
func (m *members) versionOr(none int64) (int64, *Rejection) {
	raw := m.version
	if raw == nil && m.data != nil {
		raw = m.dataVersion
	}
	if raw == nil {
		return none, nil
	}
	if isInteger(raw) {
		version, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil && 0 <= version && version <= document.MaxVersion {
			return version, nil
		}
	}
	return 0, reject(InvalidVersion, "version is not an integer of 0 to 2^63-2: %s", excerpt(raw))
}

// change makes the change of an event that is good.
func (m *members) change(way route, id string, order document.Order, r *record.Record) Change {
	sum := sha256.Sum256(m.published())
	var state document.State
	if way.deletes {
		state = document.Delete(document.DeleteOrder(order.Version, order.Time), r.Timestamp)
	} else {
		state = document.Upsert(document.UpsertOrder(order.Version, order.Time, document.DigestSum(sum)), m.fields())
	}
	change := Change{Key: document.Key{Entity: way.entity.Name, ID: id}, State: state.Pack()}
	change.Digest = changeDigest(change.Key, state, m.data == nil, sum)
	return change
}

// changeDigest names what a change does. The length of the id makes the encoding
// unambiguous. Whether the data came bare takes part, since the same bytes then
// set other fields: an envelope's names are none in a bare payload.
func changeDigest(key document.Key, state document.State, bare bool, data [sha256.Size]byte) [16]byte {
	const size = 64 + maxEntityID + sha256.Size
	order, kind, shape := state.Seen, byte('u'), byte('e')
	if !state.Floor.IsZero() {
		order, kind = state.Floor, 'd'
	}
	if bare {
		shape = 'b'
	}
	text := make([]byte, 0, size)
	text = append(append(text, key.Entity...), 0)
	text = binary.BigEndian.AppendUint32(text, uint32(len(key.ID))) //nolint:gosec // 512 at most
	text = append(text, key.ID...)
	text = append(text, kind, shape)
	for _, n := range []int64{order.Version, order.Time, order.Digest, state.DeletedAt} {
		text = binary.BigEndian.AppendUint64(text, uint64(n)) //nolint:gosec // the bits matter
	}
	sum := sha256.Sum256(append(text, data[:]...))
	return [16]byte(sum[:16])
}
