package handlers

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

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

// scanner reads the members of one event after the other in one pass each. It
// keeps its buffers; it is not safe for concurrent use.
type scanner struct {
	members
	names   map[string]string // known names, so that reading one makes no garbage; shared
	decoder jsontext.Decoder
	value   []byte
	input   bytes.Buffer
}

// read takes the members of value. Where value is rejected it has taken what
// could be read, for tracing.
func (s *scanner) read(value []byte) *Rejection {
	if len(value) == 0 {
		s.reset(nil)
		return reject(EmptyValue, "the record has no value")
	}
	if err := s.scan(value); err != nil {
		// The parser stops at the first fault. Without its checks of names and
		// UTF-8 it tells whether the value is JSON at all, and reads the rest.
		return classify(value, err, s.scan(value, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)))
	}
	if s.whole == nil {
		return reject(InvalidEvent, "the event is not an object: %s", excerpt(s.value))
	}
	return nil
}

// classify tells a value that is no JSON from JSON that OpenSearch can't store,
// by the error of the strict scan and that of the lenient one.
func classify(value []byte, strict, lenient error) *Rejection {
	switch {
	case !utf8.Valid(value):
		return reject(InvalidJSON, "the value is not UTF-8")
	case lenient == nil && errors.Is(strict, jsontext.ErrDuplicateName):
		return reject(InvalidEvent, "a key comes twice in one object: %q", excerpt(pointerOf(strict).LastToken()))
	case lenient == nil:
		return reject(InvalidEvent, "a text has a lone surrogate: %s", cause(strict))
	case isTooDeep(lenient):
		return reject(InvalidEvent, "a value is nested deeper than 16")
	}
	return reject(InvalidJSON, "the value is not JSON: %s", cause(lenient))
}

func pointerOf(err error) jsontext.Pointer {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return syntactic.JSONPointer
	}
	return ""
}

// isTooDeep reports whether the parser gave up at its own limit of nesting. What
// follows was not read, so the value may be no JSON either.
func isTooDeep(err error) bool {
	const parserDepth = 10_000 // jsontext 1.27
	return strings.Count(string(pointerOf(err)), "/") >= parserDepth
}

// cause returns what the parser found, without the path to it, which may be long.
func cause(err error) string {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return strings.ToValidUTF8(clip(syntactic.Err.Error(), 2*maxExcerpt), "?")
	}
	return err.Error()
}

var errTrailing = errors.New("data after the value")

func (s *scanner) reset(value []byte) {
	clear(s.top) // what the record held is not kept alive
	clear(s.inner)
	s.members = members{top: s.top[:0], inner: s.inner[:0]}
	s.value = value
}

func (s *scanner) scan(value []byte, options ...jsontext.Options) error {
	s.reset(value)
	s.input = *bytes.NewBuffer(value)
	s.decoder.Reset(&s.input, options...)
	var err error
	if s.decoder.PeekKind() == '{' {
		s.whole, err = s.object((*scanner).envelopeMember)
	} else {
		_, err = s.decoder.ReadValue()
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF // nothing but white space
	}
	if err != nil {
		return err
	}
	switch _, err = s.decoder.ReadToken(); {
	case err == nil:
		return errTrailing
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// object reads the object that comes next, each member by take, and returns it.
func (s *scanner) object(take func(s *scanner, name string) error) ([]byte, error) {
	if _, err := s.decoder.ReadToken(); err != nil {
		return nil, err
	}
	start := s.decoder.InputOffset() - 1
	for s.decoder.PeekKind() == '"' {
		name, err := s.raw()
		if err != nil {
			return nil, err
		}
		if err := take(s, s.name(name)); err != nil {
			return nil, err
		}
	}
	if _, err := s.decoder.ReadToken(); err != nil {
		return nil, err
	}
	return s.value[start:s.decoder.InputOffset()], nil
}

// raw reads the next value as a slice of the record's value, which stays valid
// where the decoder's own result would not.
func (s *scanner) raw() ([]byte, error) {
	value, err := s.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := s.decoder.InputOffset()
	return s.value[end-int64(len(value)) : end : end], nil
}

// part reads the next value as a member of the envelope: nil where it is null.
func (s *scanner) part(dst *[]byte) error {
	raw, err := s.raw()
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
	if s.decoder.PeekKind() != '{' {
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
	raw, err := s.raw()
	if err == nil {
		*dst = append(*dst, document.Field{Name: name, Value: raw})
	}
	return err
}
