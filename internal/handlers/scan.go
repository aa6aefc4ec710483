package handlers

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/search-indexer/search-indexer/internal/document"
)

// members are the parts of one event as raw JSON, slices of the record's value.
// A part is nil where the event has none; a null counts as none.
type members struct {
	eventType, eventID, correlationID, timestamp, version []byte

	whole      []byte // the event itself, nil where it is not an object
	data       []byte // its data, nil where it has none and is the data itself
	dataFields bool   // data is an object

	dataVersion []byte
	top         []document.Field // what the event holds beside its envelope
	inner       []document.Field // what its data holds beside the version
}

// fields returns the fields that the event sets, in order of appearance.
func (m *members) fields() []document.Field {
	if m.data == nil {
		return m.top
	}
	return m.inner
}

// published returns the data as the publisher wrote it.
func (m *members) published() []byte {
	if m.data == nil {
		return m.whole
	}
	return m.data
}

// scanner reads the members of one event after the other. It keeps its buffers; it
// is not safe for concurrent use.
type scanner struct {
	members
	names  map[string]string // known names, so that reading one makes no garbage; shared
	value  []byte
	in     parser // what reads the value: one of the next two
	quick  quick
	strict strict
}

// parser reads a JSON value from front to back.
type parser interface {
	// next tells the kind of the value that comes next by its first byte, 0 where
	// there is none. It tells nothing of the rest.
	next() byte
	// open reads the brace that opens an object, and returns where it stands.
	open() (start int, err error)
	// name reads the next member of that object up to its value and returns its name
	// with the quotes. Behind the last member it returns nil and where the object ends.
	name() (name []byte, end int, err error)
	// value reads the next value and returns it as a part of the whole.
	value() ([]byte, error)
	// end fails where anything but white space is left.
	end() error
}

// read takes the members of value. Where value is rejected it has taken what
// could be read, for tracing.
func (s *scanner) read(value []byte) *Rejection {
	if len(value) == 0 {
		s.reset(nil)
		return reject(EmptyValue, "the record has no value")
	}
	if err := s.quickly(value); err != nil {
		// The parser stops at the first fault. Without its checks of names and
		// UTF-8 it tells whether the value is JSON at all, and reads the rest.
		s.strict.begin(value, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		return classify(value, err, s.scan(value, &s.strict))
	}
	if s.whole == nil {
		return reject(InvalidEvent, "the event is not an object: %s", excerpt(value))
	}
	return nil
}

// quickly takes the members of value with the quick parser where that can read it.
func (s *scanner) quickly(value []byte) error {
	if s.quick.begin(value) && s.scan(value, &s.quick) == nil {
		return nil
	}
	s.strict.begin(value)
	return s.scan(value, &s.strict)
}

func (s *scanner) reset(value []byte) {
	clear(s.top) // what the record held is not kept alive
	clear(s.inner)
	s.members = members{top: s.top[:0], inner: s.inner[:0]}
	s.value = value
}

// scan takes the members of value, which in has begun to read.
func (s *scanner) scan(value []byte, in parser) (err error) {
	s.reset(value)
	s.in = in
	if in.next() == '{' {
		s.whole, err = s.object((*scanner).envelopeMember)
	} else {
		_, err = in.value()
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // nothing but white space
	}
	if err != nil {
		return err
	}
	return in.end()
}

// object reads the object that comes next, each member by take, and returns it.
func (s *scanner) object(take func(s *scanner, name string) error) ([]byte, error) {
	start, err := s.in.open()
	if err != nil {
		return nil, err
	}
	for {
		name, end, err := s.in.name()
		if err != nil {
			return nil, err
		}
		if name == nil {
			return s.value[start:end], nil
		}
		if err := take(s, s.name(name)); err != nil {
			return nil, err
		}
	}
}

// part reads the next value as a member of the envelope: nil where it is null.
func (s *scanner) part(dst *[]byte) error {
	raw, err := s.in.value()
	if err == nil && raw[0] == 'n' {
		raw = nil
	}
	*dst = raw
	return err
}

func (s *scanner) name(raw []byte) string {
	if known, ok := s.names[string(raw[1:len(raw)-1])]; ok {
		return known
	}
	return unquote(raw)
}

func (s *scanner) envelopeMember(name string) error {
	switch name {
	case "event_type":
		return s.part(&s.eventType)
	case "event_id":
		return s.part(&s.eventID)
	case "correlation_id":
		return s.part(&s.correlationID)
	case "timestamp":
		return s.part(&s.timestamp)
	case document.VersionField:
		return s.part(&s.version)
	case "data":
		return s.dataMember()
	}
	return s.field(&s.top, name)
}

func (s *scanner) dataMember() (err error) {
	if s.in.next() != '{' {
		return s.part(&s.data)
	}
	s.dataFields = true
	s.data, err = s.object((*scanner).innerMember)
	return err
}

func (s *scanner) innerMember(name string) error {
	if name == document.VersionField {
		return s.part(&s.dataVersion)
	}
	return s.field(&s.inner, name)
}

func (s *scanner) field(dst *[]document.Field, name string) error {
	raw, err := s.in.value()
	if err == nil {
		*dst = append(*dst, document.Field{Name: name, Value: raw})
	}
	return err
}
