package document

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// binaryFormat is the first byte of the encoding, so that a change of it is seen.
const binaryFormat = 1

// Bits of the second byte: which parts of a State follow.
const (
	hasSeen = 1 << iota
	hasFloor
	hasOrders // some field has an order of its own
)

// AppendBinary appends s in a compact form for scratch files and memory, which
// [ParseBinary] reads. It is for one run of one program: what lasts is
// [State.AppendSource]. Equal states give equal bytes.
//
//	format, parts    one byte each
//	seen, floor      where there is one; the floor with deleted_at
//	text             its length in 4 bytes; the fields as in _source, "name":value, each
//	fields           their number; of each the lengths of "name": and of value, then 1
//	                 and its order, or 0 where that is seen
//
// Other numbers are varints; the digest of an order, which is as good as random,
// takes 8 bytes.
func (s State) AppendBinary(dst []byte) []byte {
	parts := len(dst) + 1
	dst = s.appendHead(dst)
	const length = 4
	text := len(dst) + length
	var few [32]int
	names := few[:0] // how long each is as JSON
	dst = append(dst, make([]byte, length)...)
	for i := range s.Fields {
		from := len(dst)
		dst = appendName(dst, s.Fields[i].Name)
		names = append(names, len(dst)-from)
		dst = append(append(dst, s.Fields[i].Value...), ',')
	}
	binary.LittleEndian.PutUint32(dst[text-length:], uint32(len(dst)-text)) //nolint:gosec // a record has at most 100 MB
	dst = binary.AppendUvarint(dst, uint64(len(s.Fields)))
	for i := range s.Fields {
		f := &s.Fields[i]
		dst = binary.AppendUvarint(dst, uint64(names[i])) //nolint:gosec // not below 0
		dst = binary.AppendUvarint(dst, uint64(len(f.Value)))
		if f.Order == s.Seen {
			dst = append(dst, 0)
		} else {
			dst = f.Order.appendBinary(append(dst, 1))
			dst[parts] |= hasOrders
		}
	}
	return dst
}

func (s State) appendHead(dst []byte) []byte {
	var parts byte
	if !s.Seen.IsZero() {
		parts |= hasSeen
	}
	if !s.Floor.IsZero() {
		parts |= hasFloor
	}
	dst = append(dst, binaryFormat, parts)
	if parts&hasSeen != 0 {
		dst = s.Seen.appendBinary(dst)
	}
	if parts&hasFloor != 0 {
		dst = binary.AppendVarint(s.Floor.appendBinary(dst), s.DeletedAt)
	}
	return dst
}

func (o Order) appendBinary(dst []byte) []byte {
	dst = binary.AppendVarint(dst, o.Version)
	dst = binary.AppendVarint(dst, o.Time)
	return binary.LittleEndian.AppendUint64(dst, uint64(o.Digest)) //nolint:gosec // the bits matter, not the number
}

// ParseBinary reads what AppendBinary wrote. The values of the State share memory
// with encoded, which must not change while the State is used.
func ParseBinary(encoded []byte) (State, error) {
	if len(encoded) > 0 && encoded[0] != binaryFormat {
		return State{}, fmt.Errorf("read an encoded state: format %d is not %d", encoded[0], binaryFormat)
	}
	r := binaryReader{rest: encoded}
	s, _ := r.head()
	text := binaryReader{rest: r.text()}
	s.Fields = r.fields(&text, s.Seen)
	if r.broken || text.broken || len(r.rest) > 0 || len(text.rest) > 0 {
		return State{}, errors.New("read an encoded state: it is broken")
	}
	return s, nil
}

// binaryReader reads from the front of rest. Past the end it is broken and gives
// zeros.
type binaryReader struct {
	rest   []byte
	broken bool
}

// next returns the next n bytes.
func (r *binaryReader) next(n int) []byte {
	if n > len(r.rest) {
		r.broken, r.rest = true, nil
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *binaryReader) byte() byte {
	if part := r.next(1); part != nil {
		return part[0]
	}
	return 0
}

func (r *binaryReader) varint() int64 {
	value, n := binary.Varint(r.rest)
	if n <= 0 {
		r.broken, n = true, 0
	}
	r.rest = r.rest[n:]
	return value
}

// length reads how many things follow that take at least size bytes each; any
// number where size is 0.
func (r *binaryReader) length(size int) int {
	value, n := binary.Uvarint(r.rest)
	if n <= 0 || value > math.MaxInt32 || int(value)*size > len(r.rest)-n {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(value)
}

// head reads a State up to its fields.
func (r *binaryReader) head() (s State, parts byte) {
	r.next(1) // the format
	parts = r.byte()
	if parts&hasSeen != 0 {
		s.Seen = r.order()
	}
	if parts&hasFloor != 0 {
		s.Floor, s.DeletedAt = r.order(), r.varint()
	}
	return s, parts
}

// text reads the fields as they stand in a _source.
func (r *binaryReader) text() []byte {
	length := r.next(4)
	if r.broken {
		return nil
	}
	return r.next(int(binary.LittleEndian.Uint32(length)))
}

// leastField is the fewest bytes that a field takes beside its text.
const leastField = 3

func (r *binaryReader) fields(text *binaryReader, seen Order) []Field {
	n := r.length(leastField)
	if n == 0 {
		return nil
	}
	fields := make([]Field, n)
	const usual = 16
	var names strings.Builder // one string for all of them
	names.Grow(n * usual)
	for i := range fields {
		f := &fields[i]
		var quoted []byte
		quoted, f.Value, f.Order = r.member(text, seen)
		name, err := parseName(quoted)
		r.broken = r.broken || err != nil
		from := names.Len()
		names.Write(name)
		f.Name = names.String()[from:]
	}
	return fields
}

// member reads the next field, its name as it is in text.
func (r *binaryReader) member(text *binaryReader, seen Order) (name, value []byte, order Order) {
	name = text.next(r.length(0))
	value = text.next(r.length(0))
	text.next(1) // the comma
	if r.byte() != 0 {
		return name, value, r.order()
	}
	return name, value, seen
}

func (r *binaryReader) order() Order {
	o := Order{Version: r.varint(), Time: r.varint()}
	if digest := r.next(8); digest != nil {
		o.Digest = int64(binary.LittleEndian.Uint64(digest)) //nolint:gosec // the bits matter, not the number
	}
	return o
}
