package handlers

import (
	"bytes"
	"errors"
)

// quick is a parser for JSON as publishers usually write it, faster than the strict
// one (decision 7). What it takes, the strict one takes and reads the same. It tells
// no faults: where it is not sure it gives up, and the strict one decides. It is not
// sure of control characters (so of white space other than spaces), escapes in names
// and halves of surrogate pairs, exponents, and of what is very large.
type quick struct {
	text    []byte // being read
	escapes bool   // the text has some
	at      int
	fresh   bool     // nothing has been read yet of the object opened last
	lists   int      // how many are open
	objects []object // that are open
	names   []span   // of the open objects
}

// object is one that is open.
type object struct {
	before int    // how many names come before its own
	bits   uint64 // one for each of its names; names may share one
}

// span is a part of the text.
type span struct{ from, to int }

// What quick takes at most.
const (
	quickDepth = maxDepth + 2 // the event and its data lie around the deepest value
	quickNames = 64           // of one object: each may have to be compared with each
)

// errUnsure leaves a value to the strict parser.
var errUnsure = errors.New("left to the strict parser")

// begin reports whether value may be read.
func (q *quick) begin(value []byte) bool {
	escapes := bytes.IndexByte(value, '\\') >= 0
	*q = quick{text: value, escapes: escapes, objects: q.objects[:0], names: q.names[:0]}
	return isPlain(value)
}

func (q *quick) next() byte {
	for q.at < len(q.text) {
		if c := q.text[q.at]; c != ' ' {
			return c
		}
		q.at++
	}
	return 0
}

func (q *quick) open() (int, error) {
	if q.lists+len(q.objects) == quickDepth {
		return 0, errUnsure
	}
	q.objects = append(q.objects, object{before: len(q.names)})
	q.fresh = true
	q.at++
	return q.at - 1, nil
}

func (q *quick) name() ([]byte, int, error) {
	c := q.next()
	if c == '}' {
		return nil, q.closeObject(), nil
	}
	if !q.fresh {
		if c != ',' {
			return nil, 0, errUnsure
		}
		q.at++
		c = q.next()
	}
	q.fresh = false
	from := q.at
	if c != '"' || !q.skipText() || !q.remember(span{from, q.at}) {
		return nil, 0, errUnsure
	}
	name := q.text[from:q.at]
	if q.next() != ':' {
		return nil, 0, errUnsure
	}
	q.at++
	return name, 0, nil
}

// closeObject reads the closing brace and returns the place behind it.
func (q *quick) closeObject() int {
	last := len(q.objects) - 1
	q.names, q.objects = q.names[:q.objects[last].before], q.objects[:last]
	q.fresh = false
	q.at++
	return q.at
}

// remember reports whether name is surely another than those before it in its
// object.
func (q *quick) remember(name span) bool {
	text := q.text[name.from:name.to]
	in := &q.objects[len(q.objects)-1]
	if len(q.names)-in.before == quickNames || q.escapes && bytes.IndexByte(text, '\\') >= 0 {
		return false
	}
	bit := uint64(1) << ((len(text) ^ int(text[1])<<2 ^ int(text[len(text)-2])) % 64)
	if in.bits&bit != 0 {
		for _, b := range q.names[in.before:] {
			if bytes.Equal(q.text[b.from:b.to], text) {
				return false
			}
		}
	}
	in.bits |= bit
	q.names = append(q.names, name)
	return true
}

func (q *quick) value() ([]byte, error) {
	q.next()
	from := q.at
	if !q.skip() {
		return nil, errUnsure
	}
	return q.text[from:q.at:q.at], nil
}

func (q *quick) end() error {
	if q.next() != 0 {
		return errUnsure
	}
	return nil
}

// skip moves behind the next value and reports whether there is a sure one.
func (q *quick) skip() bool {
	switch q.next() {
	case '"':
		return q.skipText()
	case '{':
		return q.skipObject()
	case '[':
		return q.skipList()
	case 't':
		return q.skipWord("true")
	case 'f':
		return q.skipWord("false")
	case 'n':
		return q.skipWord("null")
	}
	return q.skipNumber()
}

func (q *quick) skipObject() bool {
	if _, err := q.open(); err != nil {
		return false
	}
	for {
		name, _, err := q.name()
		if err != nil || name == nil {
			return err == nil
		}
		if !q.skip() {
			return false
		}
	}
}

func (q *quick) skipList() bool {
	if q.lists+len(q.objects) == quickDepth {
		return false
	}
	q.lists++
	q.at++
	if q.next() == ']' {
		q.at++
		q.lists--
		return true
	}
	for q.skip() {
		c := q.next()
		q.at++
		if c == ']' {
			q.lists--
			return true
		}
		if c != ',' {
			return false
		}
	}
	return false
}

func (q *quick) skipWord(word string) bool {
	if !bytes.HasPrefix(q.text[q.at:], []byte(word)) {
		return false
	}
	q.at += len(word)
	return true
}

func (q *quick) skipNumber() bool {
	rest := q.text[q.at:]
	sign := 0
	if len(rest) > 0 && rest[0] == '-' {
		sign = 1
	}
	whole := len(leadingDigits(rest[sign:]))
	if whole == 0 || whole > 1 && rest[sign] == '0' {
		return false
	}
	n := sign + whole
	if n < len(rest) && rest[n] == '.' {
		fraction := len(leadingDigits(rest[n+1:]))
		if fraction == 0 {
			return false
		}
		n += 1 + fraction
	}
	q.at += n
	return true
}

func (q *quick) skipText() bool {
	body := q.text[q.at+1:]
	end := bytes.IndexByte(body, '"')
	if end < 0 {
		return false
	}
	if q.escapes && bytes.IndexByte(body[:end], '\\') >= 0 {
		end = escapedLen(body)
	}
	q.at += 1 + end + 1
	return end >= 0
}

// escapedLen returns how far the text goes that body begins with, up to its quote,
// or -1 if that is not sure.
func escapedLen(body []byte) int {
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			return i
		case '\\':
			n := escapeLen(body[i:])
			if n == 0 {
				return -1
			}
			i += n - 1
		}
	}
	return -1
}

// escapeLen returns the length of the escape that text begins with, 0 if it is
// none or half of a pair.
func escapeLen(text []byte) int {
	const long = len(`\u0000`)
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < long {
			return 0
		}
		for _, c := range text[2:long] {
			if !('0' <= c && c <= '9' || 'a' <= c|' ' && c|' ' <= 'f') {
				return 0
			}
		}
		if text[2]|' ' == 'd' && text[3] > '7' {
			return 0
		}
		return long
	}
	return 0
}
