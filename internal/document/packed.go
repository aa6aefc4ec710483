package document

import "bytes"

// Packed is a State as bytes: what an event says, from its decoding until it is
// written. It has no pointers, so that many can wait in memory, and holds the fields
// as they will be sent. See [State.AppendBinary]. It is never changed once made.
type Packed []byte

// Pack returns s as bytes of its own.
func (s State) Pack() Packed { return s.AppendBinary(make([]byte, 0, s.packedSize())) }

// packedSize is what AppendBinary writes, or a few bytes more.
func (s State) packedSize() int {
	const head, field, order = 16, 8, 28
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

// Unpack returns what was packed. Its values share memory with p.
func (p Packed) Unpack() State {
	s, err := ParseBinary(p)
	if err != nil {
		panic("document: a packed state is none: " + err.Error())
	}
	return s
}

// Head returns what was packed without its fields.
func (p Packed) Head() State {
	r := binaryReader{rest: p}
	s, _ := r.head()
	return s
}

// String is [State.String] of what was packed.
func (p Packed) String() string { return p.Unpack().String() }

// AppendSource is [State.AppendSource] of what was packed.
func (p Packed) AppendSource(dst []byte) []byte {
	r := binaryReader{rest: p}
	s, parts := r.head()
	if parts&hasOrders != 0 {
		return p.Unpack().AppendSource(dst)
	}
	dst = append(append(dst, '{'), r.text()...)
	return append(s.appendOurs(dst), '}')
}

// Join returns what [Join] makes of the States that p and q hold.
func (p Packed) Join(q Packed) Packed {
	switch {
	case q.supersedes(p):
		return q
	case p.supersedes(q):
		return p
	}
	return Join(p.Unpack(), q.Unpack()).Pack()
}

// supersedes reports whether nothing of old counts beside p. It knows the usual case
// alone, a full version of a document after another one: the same fields, all set by
// a later event, and no delete.
func (p Packed) supersedes(old Packed) bool {
	mine, others := binaryReader{rest: p}, binaryReader{rest: old}
	head, parts := mine.head()
	oldHead, oldParts := others.head()
	if parts != hasSeen || oldParts&^hasOrders != hasSeen || !head.Seen.Above(oldHead.Seen) {
		return false
	}
	text, oldText := binaryReader{rest: mine.text()}, binaryReader{rest: others.text()}
	count := mine.length(leastField)
	if others.length(leastField) != count {
		return false
	}
	for range count {
		name, _, _ := mine.member(&text, Order{})
		oldName, _, _ := others.member(&oldText, Order{})
		if !bytes.Equal(name, oldName) {
			return false
		}
	}
	return !mine.broken && !others.broken
}
