package document

import "bytes"

// Packed is a State in few bytes and without pointers, for many of them to wait in
// memory: see [State.AppendBinary]. It is never changed once made.
type Packed []byte

// Pack returns s as bytes of its own.
func (s State) Pack() Packed { return s.AppendBinary(make([]byte, 0, s.packedSize())) }

// packedSize is what AppendBinary writes, or a few bytes more.
func (s State) packedSize() int {
	const head, field, order = 16, 5, 28
	n := head
	for _, o := range []Order{s.Seen, s.Floor} {
		if !o.IsZero() {
			n += order
		}
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		n += len(f.Name) + len(f.Value) + field
		if f.Order != s.Seen {
			n += order
		}
	}
	return n
}

// State returns what was packed. Its values share memory with p.
func (p Packed) State() State {
	s, err := ParseBinary(p)
	if err != nil {
		panic("document: a packed state is none: " + err.Error())
	}
	return s
}

// Join returns what [Join] makes of the States that p and q hold.
func (p Packed) Join(q Packed) Packed {
	switch {
	case q.supersedes(p):
		return q
	case p.supersedes(q):
		return p
	}
	return Join(p.State(), q.State()).Pack()
}

// supersedes reports whether nothing of old counts beside p. It knows the usual case
// alone, a full version of a document after another one: the same fields, all set by
// a later event, and no delete.
func (p Packed) supersedes(old Packed) bool {
	mine, others := binaryReader{rest: p}, binaryReader{rest: old}
	mine.next(1)
	others.next(1)
	if mine.byte() != hasSeen || others.byte() != hasSeen || !mine.order().Above(others.order()) {
		return false
	}
	names, count := mine.skipNames()
	if theirs, _ := others.skipNames(); !bytes.Equal(names, theirs) {
		return false
	}
	for range count {
		mine.next(mine.length(1))
		if mine.byte() != 0 { // an order of its own
			return false
		}
	}
	return !mine.broken && !others.broken
}

// skipNames returns the encoding of the names as it is, and how many they are.
func (r *binaryReader) skipNames() (encoded []byte, count int) {
	from := r.rest
	count = r.length(1)
	r.next(r.length(1))
	for range count {
		r.length(0)
	}
	return from[:len(from)-len(r.rest)], count
}
