package document

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// binaryFormat is the first byte of the encoding, so that a change of it is seen.
const binaryFormat = 1

// Bits of the second byte: which parts of a State follow.
const (
	hasSeen = 1 << iota
	hasFloor
)

// AppendBinary appends s in a compact form for scratch files and memory, which
// [ParseBinary] reads. It is for one run of one program: what lasts is
// [State.AppendSource]. Equal states give equal bytes.
//
//	format, parts    one byte each
//	seen, floor      where there is one; the floor with deleted_at
//	names            their number, their length together, each with its length
//	fields           each: value, then 1 and its order, or 0 where that is seen
//
// Numbers are varints; texts have their length in front; the digest of an order,
// which is as good as random, takes 8 bytes.
func (s State) AppendBinary(dst []byte) []byte {
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
	dst = s.appendNames(dst)
	for i := range s.Fields {
		f := &s.Fields[i]
		dst = append(binary.AppendUvarint(dst, uint64(len(f.Value))), f.Value...)
		if f.Order == s.Seen {
			dst = append(dst, 0)
		} else {
			dst = f.Order.appendBinary(append(dst, 1))
		}
	}
	return dst
}

// appendNames writes the names side by side, so that reading makes one string for
// all of them.
func (s State) appendNames(dst []byte) []byte {
	size := 0
	for i := range s.Fields {
		size += len(s.Fields[i].Name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.Fields)))
	dst = binary.AppendUvarint(dst, uint64(size))
	for i := range s.Fields {
		dst = append(dst, s.Fields[i].Name...)
	}
	for i := range s.Fields {
		dst = binary.AppendUvarint(dst, uint64(len(s.Fields[i].Name)))
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
	r := binaryReader{rest: encoded}
	if format := r.byte(); format != binaryFormat {
		return State{}, fmt.Errorf("read an encoded state: format %d is not %d", format, binaryFormat)
	}
	var s State
	parts := r.byte()
	if parts&hasSeen != 0 {
		s.Seen = r.order()
	}
	if parts&hasFloor != 0 {
		s.Floor, s.DeletedAt = r.order(), r.varint()
	}
	s.Fields = r.names()
	for i := range s.Fields {
		f := &s.Fields[i]
		f.Value, f.Order = r.next(r.length(1)), s.Seen
		if r.byte() != 0 {
			f.Order = r.order()
		}
	}
	if r.broken || len(r.rest) > 0 {
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

// names returns the fields with nothing but their names.
func (r *binaryReader) names() []Field {
	const least = 3 // bytes of a field beside its name
	n := r.length(least)
	all := string(r.next(r.length(1)))
	if n == 0 || r.broken {
		return nil
	}
	fields := make([]Field, n)
	for i := range fields {
		size := r.length(0)
		if size > len(all) {
			r.broken = true
			return nil
		}
		fields[i].Name, all = all[:size], all[size:]
	}
	r.broken = r.broken || all != ""
	return fields
}

func (r *binaryReader) order() Order {
	o := Order{Version: r.varint(), Time: r.varint()}
	if digest := r.next(8); digest != nil {
		o.Digest = int64(binary.LittleEndian.Uint64(digest)) //nolint:gosec // the bits matter, not the number
	}
	return o
}
